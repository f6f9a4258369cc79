/** Whose session ends next, and what goes with it? */
import type { JSX } from 'preact'
import type { SessionRow } from '../api.ts'
import { counted, duration } from './format.ts'
import { nowMs, useTopic } from './live.ts'
import { Columns, Empty, Head, Panel, Session, Told, Topic } from './parts.tsx'
import { href } from './route.ts'

export function Sessions(): JSX.Element {
  const shown = useTopic('sessions')
  return (
    <Topic shown={shown}>
      {({ data, asOfMs, total, untold }) => {
        const ageMs = Math.max(0, nowMs() - asOfMs)
        return (
          <>
            <Head more="Those that are silent first. Its ephemeral nodes go with a session.">
              {sentenceOf(data, total, ageMs)}
            </Head>
            {data.length === 0 ? <Empty title="No sessions" text="A client that connects has one." /> : (
              <Panel title="Sessions" more={counted(total ?? data.length, 'session')}>
                <div class="scroll" tabIndex={0} role="region" aria-label="Sessions">
                  <table>
                    <caption class="sr">Sessions, those that are silent first</caption>
                    <Columns names={['Session', 'Client', 'Server', 'Goes with it']} right={['Ends in', 'Time-out']} />
                    <tbody>{data.map((row) => <Row key={row.id} row={row} ageMs={ageMs} untold={untold} />)}</tbody>
                  </table>
                </div>
              </Panel>
            )}
          </>
        )
      }}
    </Topic>
  )
}

function Row({ row, ageMs, untold }: {
  row: SessionRow
  ageMs: number
  untold: Readonly<Record<string, string>>
}): JSX.Element {
  const { id, isOwn, address, server, expiresInMs, timeoutMs, ephemerals, paths } = row
  return (
    <tr>
      <th scope="row"><Session id={id} />{isOwn ? <> <span class="tag">this dashboard</span></> : null}</th>
      <td><Told value={address} why={untold['server']} /></td>
      <td><Told value={server} why={untold['server']} /></td>
      <td class="says">
        {ephemerals === null ? <Told value={null} why={untold['ephemerals']} /> : ephemerals === 0 ? (
          <span class="t">nothing</span>
        ) : (
          <details>
            <summary>{counted(ephemerals, 'node')}</summary>
            <ul>
              {paths.map((path) => <li key={path}><a href={href('tree', path)}><code>{path}</code></a></li>)}
              {paths.length < ephemerals ? <li>and {counted(ephemerals - paths.length, 'other')}</li> : null}
            </ul>
          </details>
        )}
      </td>
      <td class="r">
        <Told value={expiresInMs === null ? null : duration(expiresInMs - ageMs)} why={untold['expiresInMs']} />
      </td>
      <td class="r"><Told value={timeoutMs === null ? null : duration(timeoutMs)} why={untold['server']} /></td>
    </tr>
  )
}

function sentenceOf(sessions: readonly SessionRow[], total: number | null, ageMs: number): string {
  const all = counted(total ?? sessions.length, 'session')
  const [next] = sessions
  if (next === undefined || next.expiresInMs === null || next.timeoutMs === null) return `${all}.`
  if (next.expiresInMs >= next.timeoutMs / 2) return `${all}; all of them are heard.`
  return `${all}; one ends in ${duration(next.expiresInMs - ageMs)} if it stays silent.`
}
