/** Who leads, and who stands by? */
import type { JSX } from 'preact'
import type { Contender, Election } from '../api.ts'
import { counted, linesOf, pretty } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Code, Columns, Empty, Head, Panel, Session, Topic } from './parts.tsx'

export function Leaders({ roots }: { roots: readonly string[] }): JSX.Element {
  const shown = useTopic('leaders')
  return (
    <Topic shown={shown}>
      {({ data }) => (
        <>
          <Head more={`Below ${roots.join(', ')}.`}>
            {data.length === 0 ? 'No elections.' : `${counted(data.length, 'election')}, each with a leader.`}
          </Head>
          {data.length === 0 ? (
            <Empty title="No elections" text="Elections appear here when somebody stands."
              code="const election = new LeaderElection(client, '/elections/scheduler')" />
          ) : data.map((election) => <ElectionPanel key={election.path} election={election} />)}
        </>
      )}
    </Topic>
  )
}

function ElectionPanel({ election: { path, leader, candidates, proclaims } }: { election: Election }): JSX.Element {
  return (
    <Panel title={<code>{path}</code>} more={<LedBy leader={leader} />}>
      <div class="scroll" tabIndex={0} role="region" aria-label={`Candidates of ${path}`}>
        <table>
          <caption class="sr">Candidates of {path}, the leader first</caption>
          <Columns names={['Place', 'Candidate', 'Session', 'Token', 'Stands']} />
          <tbody>
            {candidates.map(({ path: own, position, says, session, token, sinceMs }) => (
              <tr key={own} class={position === 0 ? 'on' : ''}>
                <td>{position === 0 ? <Leads /> : position}</td>
                <th scope="row">{says === '' ? <span class="t">no id</span> : says}</th>
                <td><Session id={session} /></td>
                <td><code>{token}</code></td>
                <td><Ago ms={sinceMs} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {proclaims === null ? null : (
        <Code label={`What the leader of ${path} proclaims`} lines={linesOf(pretty(proclaims) ?? proclaims)} />
      )}
    </Panel>
  )
}

function LedBy({ leader }: { leader: Contender | null }): JSX.Element {
  if (leader === null) return <>nobody leads</>
  return <>led by <b>{leader.says === '' ? leader.session : leader.says}</b></>
}

function Leads(): JSX.Element {
  return <span class="tag acc"><span aria-hidden="true">▲</span>LEADS</span>
}
