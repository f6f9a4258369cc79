/** Who is there? */
import type { JSX } from 'preact'
import { counted } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Columns, Empty, Head, Panel, Says, Session, Topic, Untold } from './parts.tsx'

export function Members({ roots }: { roots: readonly string[] }): JSX.Element {
  const shown = useTopic('groups')
  return (
    <Topic shown={shown}>
      {(answer) => {
        const { data } = answer
        const members = data.reduce((sum, group) => sum + group.members.length, 0)
        return (
          <>
            <Head more={`Below ${roots.join(', ')}.`}>
              {data.length === 0 ? 'No groups.' : `${counted(members, 'member')} in ${counted(data.length, 'group')}.`}
            </Head>
            {data.length === 0 ? (
              <Empty title="No groups" text="A group is here as long as it has a member."
                code="await using me = await group.join('worker-1')" />
            ) : data.map((group) => (
              <Panel key={group.path} title={<code>{group.path}</code>} more={counted(group.members.length, 'member')}>
                <Untold answer={answer} names={[group.path]} />
                <div class="scroll" tabIndex={0} role="region" aria-label={`Members of ${group.path}`}>
                  <table>
                    <caption class="sr">Members of {group.path}</caption>
                    <Columns names={['Member', 'Says', 'Session', 'Incarnation', 'Joined']} />
                    <tbody>
                      {group.members.map(({ id, says, session, incarnation, sinceMs }) => (
                        <tr key={id}>
                          <th scope="row">{id}</th>
                          <td class="says"><Says text={says} /></td>
                          <td><Session id={session} /></td>
                          <td><code>{incarnation}</code></td>
                          <td><Ago ms={sinceMs} /></td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              </Panel>
            ))}
          </>
        )
      }}
    </Topic>
  )
}
