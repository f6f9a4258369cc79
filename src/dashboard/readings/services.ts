/** Services: nodes below the roots whose children are instances, in Curator's form. */
import type { Client } from '../../core/client.ts'
import { joinPath, nameOf } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import { decodeInstance } from '../../recipes/services/service-instance.ts'
import type { ServiceInstance } from '../../recipes/services/service-instance.ts'
import type { Answer, Service } from '../api.ts'
import { answer, hex, says } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

/** The most instances of a service that are read. */
const INSTANCES_MAX = 500

/** Reads the services below the roots that have an instance. */
export async function readServices(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<Service[]>> {
  const walked = await walk(client, roots, signal, ({ isRoot }) => isRoot)
  const untold: Record<string, string> = untoldOf(walked)
  const services: Service[] = []
  for (const { path, names, isRoot } of walked.met) {
    if (isRoot) continue
    if (names.length > INSTANCES_MAX) {
      untold[path] = `Only the first ${INSTANCES_MAX} of ${names.length} instances are shown.`
    }
    const instances = await readInstances(client, path, names.slice(0, INSTANCES_MAX), signal)
    if (instances.length > 0) services.push({ path, name: nameOf(path), instances })
  }
  services.sort((a, b) => (a.path < b.path ? -1 : 1))
  return answer(services, { total: walked.left === null ? services.length : null, untold })
}

async function readInstances(
  client: Client,
  path: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Service['instances']> {
  const instances = await readEach(names, async (id) => {
    const own = joinPath(path, id)
    const node = await unlessGone(client.get(own, { signal }))
    if (node === null) return null
    const { ctime: sinceMs, ephemeralOwner } = node.stat
    const session = ephemeralOwner === 0n ? null : hex(ephemeralOwner)
    return { id, path: own, session, sinceMs, ...toldOf(node.data) }
  })
  return instances.filter((instance) => instance !== null)
}

/** A node that holds no instance is shown as it is: providers pass over it, and somebody should know. */
function toldOf(data: Uint8Array): Pick<Service['instances'][number], 'address' | 'state' | 'says'> {
  try {
    const instance = decodeInstance(data)
    const state = instance.enabled ? 'offered' : 'withheld'
    return { address: addressOf(instance), state, says: payloadOf(instance) }
  } catch {
    return { address: null, state: 'unreadable', says: says(data) }
  }
}

/** `host:port`, as far as it says; the port for TLS is named. */
function addressOf({ address, port, sslPort }: ServiceInstance): string | null {
  if (address === null) return null
  const host = address.includes(':') ? `[${address}]` : address
  const plain = port === null ? host : `${host}:${port}`
  return sslPort === null ? plain : `${plain} (TLS: ${sslPort})`
}

function payloadOf({ payload }: ServiceInstance): string {
  return payload === null ? '' : says(new TextEncoder().encode(JSON.stringify(payload)))
}
