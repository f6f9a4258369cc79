/** Does it serve, how many more can be lost, and who is behind? */
import type { JSX } from 'preact'
import type { Answer, Ensemble, Role, Server } from '../api.ts'
import { clock, count, counted, duration } from './format.ts'
import { nowMs, useTopic } from './live.ts'
import { Columns, Head, Panel, Told, Topic } from './parts.tsx'

const SHAPES: Readonly<Record<string, string>> = {
  LEADING: '▲', STANDALONE: '▲', FOLLOWING: '●', OBSERVING: '○', LOOKING: '◇',
}
const TONES: Readonly<Record<string, string>> = { LEADING: 'acc', STANDALONE: 'acc', OBSERVING: 'vio', LOOKING: 'warn' }
const WORDS: Readonly<Record<string, string>> = {
  LEADING: 'led', STANDALONE: 'served alone', FOLLOWING: 'followed', OBSERVING: 'observed', LOOKING: 'was looking',
}

const NUMBERS = ['Behind', 'Clients', 'Watches', 'Latency']

/** Where a role's part of a lane stands. */
const LOW = { y: 5, height: 6 }
const HIGH = { y: 2, height: 12 }

export function Overview(): JSX.Element {
  const shown = useTopic('ensemble')
  return <Topic shown={shown}>{(answer) => <EnsembleView answer={answer} />}</Topic>
}

function EnsembleView({ answer }: { answer: Answer<Ensemble> }): JSX.Element {
  const { data, untold } = answer
  return (
    <>
      <Head more={secondLine(data)}>{verdict(data)}</Head>
      <dl class="strip">
        <Fact name="Sessions" value={data.sessions} why={untold['sessions']} />
        <Fact name="Watches" value={data.watches} why={untold['watches']} />
        <Fact name="Nodes" value={data.nodes} why={untold['nodes']} />
        <div>
          <dt>Round trip</dt>
          <dd><Told value={data.session.roundTripMs} why="no answer" /> <small>ms, from this dashboard</small></dd>
        </div>
        <div>
          <dt>Own session</dt>
          <dd><small>{data.session.status}, <code>{data.session.id ?? 'none'}</code></small></dd>
        </div>
      </dl>
      {data.findings.length === 0 ? null : (
        <Panel title="Needs somebody" more="worst first">
          <ul class="list">
            {data.findings.slice(0, 7).map(({ level, text }) => (
              <li>
                <span class={`tag ${level}`}>{level === 'bad' ? '✕ bad' : '! look'}</span>
                <span class="grow">{text}</span>
              </li>
            ))}
            {data.findings.length > 7 ? <li class="q">and {data.findings.length - 7} more</li> : null}
          </ul>
        </Panel>
      )}
      {data.servers.length === 0 ? (
        <Panel title="What this engine cannot tell">
          <p class="pad q">
            {untold['servers']} Locks, leaders, members, configuration and the tree are shown all the same.
          </p>
        </Panel>
      ) : <Servers ensemble={data} />}
    </>
  )
}

function verdict({ serving, leader, leaderSinceMs, epoch, canLose, voters, servers }: Ensemble): JSX.Element {
  const missing = leader === null && servers.length > 0 ? 'There is no leader.' : 'There is no answer.'
  if (!serving) return <><em class="bad">Not serving.</em> {missing}</>
  if (leader === null) return <><em>Serving.</em> The dashboard’s session is answered.</>
  const since = leaderSinceMs === null ? '' : ` for ${duration(nowMs() - leaderSinceMs)} and longer`
  const isLast = canLose === 0 && (voters ?? 0) > 1
  const but = isLast ? ', but losing one more stops it' : ''
  return <><em>Serving{but}.</em> Server {leader} leads epoch {epoch ?? '–'}{since}.</>
}

function secondLine({ voters, answering, canLose, findings }: Ensemble): string {
  const things = findings.length
  const needs = things === 0 ? 'Nothing needs somebody.' : `${counted(things, 'thing needs', 'things need')} somebody.`
  if (voters === null) return needs
  return `${count(answering ?? 0)} of ${counted(voters, 'voter')} answer; you can lose ${canLose ?? 0}. ${needs}`
}

function Fact({ name, value, why }: { name: string; value: number | null; why: string | undefined }): JSX.Element {
  return <div><dt>{name}</dt><dd><Told value={value === null ? null : count(value)} why={why} /></dd></div>
}

function Servers({ ensemble }: { ensemble: Ensemble }): JSX.Element {
  const startMs = Math.max(ensemble.lanesSinceMs, nowMs() - 3_600_000)
  const legend = (
    <span class="legend" aria-hidden="true">
      {['LEADING', 'FOLLOWING', 'OBSERVING', 'LOOKING'].map((role) => (
        <span><svg class="lane"><rect class={role} width="12" height="9" /></svg>{role.toLowerCase()}</span>
      ))}
    </span>
  )
  return (
    <Panel title="Servers" more={`roles since ${clock(startMs)}`} end={legend}>
      <div class="scroll" tabIndex={0} role="region" aria-label="Servers">
        <table>
          <caption class="sr">Servers of the ensemble</caption>
          <Columns names={['Server', 'Role', 'Lane', 'Applied zxid']} right={NUMBERS} />
          <tbody>
            {ensemble.servers.map((server) => <ServerRow key={server.id} server={server} startMs={startMs} />)}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function ServerRow({ server, startMs }: { server: Server; startMs: number }): JSX.Element {
  const { id, role, applied, behind, clients, watches, latencyMs, why } = server
  const untold = why ?? 'this server does not tell it'
  return (
    <tr data-server={id}>
      <th scope="row"><b>{id}</b></th>
      <td><RoleTag role={role} /></td>
      <td><Lane server={server} startMs={startMs} /></td>
      <td><code><Told value={applied} why={untold} /></code></td>
      <td class="r"><Told value={counts(behind)} why={role === null ? untold : 'another epoch'} /></td>
      <td class="r"><Told value={counts(clients)} why={untold} /></td>
      <td class="r"><Told value={counts(watches)} why={untold} /></td>
      <td class="r"><Told value={latencyMs === null ? null : `${latencyMs} ms`} why={untold} /></td>
    </tr>
  )
}

function counts(value: number | null): string | null {
  return value === null ? null : count(value)
}

function RoleTag({ role }: { role: Role }): JSX.Element {
  if (role === null) return <span class="tag bad"><span aria-hidden="true">✕</span>NO ANSWER</span>
  return <span class={`tag ${TONES[role] ?? ''}`}><span aria-hidden="true">{SHAPES[role]}</span>{role}</span>
}

/** Roles over time; each is at least three pixels wide, so that a short election is seen. */
function Lane({ server: { id, lane }, startMs }: { server: Server; startMs: number }): JSX.Element {
  const endMs = nowMs()
  const span = Math.max(1, endMs - startMs)
  const parts = lane.map(({ fromMs, is }, index) => {
    const from = Math.max(fromMs, startMs)
    const ms = Math.max(0, (lane[index + 1]?.fromMs ?? endMs) - from)
    return { is, ms, x: ((from - startMs) / span) * 400, width: Math.max(3, (ms / span) * 400) }
  })
  const told = parts.map(({ is, ms }) => `${is === null ? 'did not answer' : WORDS[is]} ${duration(ms)}`).join(', ')
  return (
    <svg class="lane" viewBox="0 0 400 16" preserveAspectRatio="none" role="img" aria-label={`Server ${id}: ${told}`}>
      {parts.map(({ is, x, width }) => (
        <rect class={is ?? 'none'} x={x} width={width} {...(is === 'FOLLOWING' ? LOW : HIGH)} />
      ))}
    </svg>
  )
}
