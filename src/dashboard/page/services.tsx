/** Which instances are offered to callers? */
import type { JSX } from 'preact'
import type { Service } from '../api.ts'
import { counted } from './format.ts'
import { useTopic } from './live.ts'
import { Ago, Columns, Empty, Head, Panel, Says, Session, Topic, Untold } from './parts.tsx'

export function Services({ roots }: { roots: readonly string[] }): JSX.Element {
  const shown = useTopic('services')
  return (
    <Topic shown={shown}>
      {(answer) => (
        <>
          <Head more={`Below ${roots.join(', ')}.`}>{sentenceOf(answer.data)}</Head>
          {answer.data.length === 0 ? (
            <Empty title="No services" text="A service is here as long as it has an instance."
              code="await new ServiceRegistry(client, '/services').register('api', { port: 8080 })" />
          ) : answer.data.map((service) => (
            <Panel key={service.path} title={<code>{service.path}</code>}
              more={counted(service.instances.length, 'instance')}>
              <Untold answer={answer} names={[service.path]} />
              <Instances service={service} />
            </Panel>
          ))}
        </>
      )}
    </Topic>
  )
}

function Instances({ service: { name, path, instances } }: { service: Service }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Instances of ${path}`}>
      <table>
        <caption class="sr">Instances of {name}</caption>
        <Columns names={['Instance', 'Address', 'State', 'Says', 'Session', 'Registered']} />
        <tbody>
          {instances.map(({ id, address, state, says, session, sinceMs }) => (
            <tr key={id}>
              <th scope="row">{id}</th>
              <td>{address === null ? <span class="t">no address</span> : <code>{address}</code>}</td>
              <td><State state={state} /></td>
              <td class="says"><Says text={says} /></td>
              <td>{session === null ? <span class="t">stays without one</span> : <Session id={session} />}</td>
              <td><Ago ms={sinceMs} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function State({ state }: { state: Service['instances'][number]['state'] }): JSX.Element {
  if (state === 'offered') return <span class="tag acc"><span aria-hidden="true">●</span>OFFERED</span>
  if (state === 'withheld') return <span class="tag"><span aria-hidden="true">○</span>WITHHELD</span>
  return <span class="tag bad"><span aria-hidden="true">■</span>UNREADABLE</span>
}

function sentenceOf(services: readonly Service[]): string {
  if (services.length === 0) return 'No services.'
  const instances = services.flatMap((service) => service.instances)
  const missing = instances.filter(({ state }) => state !== 'offered').length
  const all = `${counted(services.length, 'service')}, ${counted(instances.length, 'instance')}`
  return missing === 0 ? `${all}.` : `${all}; ${missing} of them not offered.`
}
