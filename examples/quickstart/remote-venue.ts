/**
 * An engine that somebody else runs. Nothing is done to its servers: what fails is the way to them, which leads through
 * relays of this process. Everything is below a node of its own, and removed in the end.
 */
import { backendOfUrl, connect, isCoordinationError } from 'quorate'
import type { Backend, Client } from 'quorate'
import { setTimeout as delay } from 'node:timers/promises'
import { Relay } from './relay.ts'
import type { Venue } from './venue.ts'

/** The parts of `scheme://user:password@host:port,host:port/rest`: relays take the places of the hosts. */
interface Address {
  readonly scheme: string
  readonly login: string
  readonly hosts: readonly string[]
  readonly rest: string
}

/** Where an engine is, seen through relays. */
interface Way {
  readonly backend: Backend
  readonly relays: readonly Relay[]
}

/** Long enough for ZooKeeper's own minimum, and for a busy machine. */
const SESSION_TIMEOUT_MS = 4_000
/** Much shorter than that, so that it costs nobody a session. */
const OUTAGE_MS = 200

const DEFAULT_PORTS: Readonly<Record<string, number>> = { zookeeper: 2181, etcd: 2379, redis: 6379 }

/**
 * Opens an engine by its URL.
 *
 * @throws TypeError if the URL means none
 */
export async function remoteVenue(url: string): Promise<Venue> {
  const address = addressOf(url)
  const [everyone, victims] = [await wayTo(address), await wayTo(address)]
  const namespace = `/quickstart-${crypto.randomUUID()}`
  return {
    backend: everyone.backend,
    victimBackend: victims.backend,
    pulseBackend: () => everyone.backend,
    options: { namespace, sessionTimeoutMs: SESSION_TIMEOUT_MS },
    leftOut: 'its servers are not ours to stop, and tell nobody of their elections',
    watch: () => undefined,
    watchGroup: (chronicle, group) => chronicle.watchSessions(group),
    endSession: () => {
      for (const relay of victims.relays) relay.cut()
    },
    fail: async (chronicle, recover) => {
      chronicle.note('every connection is cut')
      for (const relay of everyone.relays) relay.cut()
      await delay(OUTAGE_MS)
      for (const relay of everyone.relays) relay.mend()
      chronicle.note('connections go through again')
      await recover()
      return null
    },
    servers: () => [],
    [Symbol.asyncDispose]: async () => {
      try {
        await removeAll(everyone.backend, namespace)
      } finally {
        await Promise.all([...everyone.relays, ...victims.relays].map((relay) => relay.close()))
      }
    },
  }
}

function addressOf(url: string): Address {
  const [, scheme = '', login = '', hosts = '', rest = ''] = /^([a-z]+):\/\/([^@/]*@)?([^/?]+)(.*)$/s.exec(url) ?? []
  if (!Object.hasOwn(DEFAULT_PORTS, scheme)) {
    throw new TypeError('--connect takes embedded:, zookeeper://host:port, etcd://host:port or redis://host:port')
  }
  return { scheme, login, hosts: hosts.split(','), rest }
}

/** A way of one's own to an engine: it can be cut without harm to others. */
async function wayTo(address: Address): Promise<Way> {
  const relays = await Promise.all(address.hosts.map((host) => relayTo(host, DEFAULT_PORTS[address.scheme] ?? 0)))
  const { scheme, login, rest } = address
  const { backend } = await backendOfUrl(`${scheme}://${login}${relays.map((relay) => relay.address).join()}${rest}`)
  return { backend, relays }
}

function relayTo(host: string, defaultPort: number): Promise<Relay> {
  const [, name = '', port = String(defaultPort)] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(host) ?? []
  return Relay.start(name, Number(port))
}

async function removeAll(backend: Backend, path: string): Promise<void> {
  await using client = await connect(backend)
  await removeTree(client, path)
}

async function removeTree(client: Client, path: string): Promise<void> {
  try {
    for (const name of (await client.children(path)).names) await removeTree(client, `${path}/${name}`)
    await client.delete(path)
  } catch (error) {
    // A container that became empty is gone by itself.
    if (!isCoordinationError(error, 'NO_NODE')) throw error
  }
}
