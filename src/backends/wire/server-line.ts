/**
 * Where a server of an ensemble of processes is, in the words of ZooKeeper's configuration:
 *
 *     host:peerPort:electionPort[:participant|:observer][;[clientHost:]clientPort]
 *
 * Hosts     names, IPv4 addresses, or IPv6 addresses in brackets.
 * Source    QuorumPeer.QuorumServer of ZooKeeper 3.8.
 */
import { textOf } from '../../core/value-text.ts'

const PORT_MAX = 65_535
const FORM = 'host:peerPort:electionPort[:participant|:observer][;[clientHost:]clientPort]'
const HOST = String.raw`\[[\w:.%]+\]|[\w.-]+`
const LINE = new RegExp(String.raw`^(${HOST}):([^:;]*):([^:;]*)(?::([^;]*))?(?:;(.*))?$`)
const CLIENT = new RegExp(String.raw`^(?:(${HOST}):)?([^:]*)$`)

/** Addresses that stand for all of a machine: nobody can be reached by one. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

const LISTEN_ON_ALL = 'to listen on all addresses is the option peerListenHost, in zoo.cfg quorumListenOnAllIPs=true'

/** One server of an ensemble of processes. */
export interface ServerLine {
  /** Name or address, an IPv6 address without its brackets. */
  readonly host: string
  readonly peerPort: number
  readonly electionPort: number
  /** Whether it votes; an observer does not. */
  readonly votes: boolean
  /** Where it serves clients, if the text says so; its host is null if only the port was given. */
  readonly client: { readonly host: string | null; readonly port: number } | null
}

/**
 * Reads the text of one server.
 *
 * @param name - the text's name in messages, such as `servers[2]`
 * @throws TypeError that names the part that is wrong
 */
export function parseServerLine(text: unknown, name: string): ServerLine {
  const wrong = (what: string): TypeError => new TypeError(`${name} must be ${FORM}, got ${textOf(text)}: ${what}`)
  if (typeof text !== 'string') throw wrong('it is not a text')
  if (text.includes('|')) throw wrong('several addresses of one server are not there: give one')
  if (/^[\da-f]*:[\da-f]*:[\da-f]*:[\da-f]*:/i.test(text)) throw wrong('an IPv6 address goes into brackets')
  const [, host = '', peer = '', election = '', role, client] = LINE.exec(text) ?? []
  if (host === '') throw wrong(text.split(':').length < 3 ? 'a port is missing' : 'there is no host')
  if (role !== undefined && !/^(participant|observer)$/i.test(role)) throw wrong(`there is no role ${textOf(role)}`)
  const peerPort = portOf(peer, 'peer port', wrong)
  const electionPort = portOf(election, 'election port', wrong)
  if (peerPort === electionPort) throw wrong('the peer port and the election port must differ')
  if (WILDCARDS.has(bare(host))) throw wrong(`no server can be reached at ${bare(host)}; ${LISTEN_ON_ALL}`)
  return {
    host: bare(host),
    peerPort,
    electionPort,
    votes: role?.toLowerCase() !== 'observer',
    client: client === undefined ? null : clientOf(client, wrong),
  }
}

/**
 * The text of one server, complete, as ZooKeeper writes it.
 *
 * @param id - its myid
 */
export function serverLineText(id: number, { host, peerPort, electionPort, votes, client }: ServerLine): string {
  const own = `server.${id}=${bracketed(host)}:${peerPort}:${electionPort}:${votes ? 'participant' : 'observer'}`
  return client === null ? own : `${own};${bracketed(client.host ?? '0.0.0.0')}:${client.port}`
}

/** Where clients on other machines reach a server; null if its text does not say. */
export function clientAddressOf(server: ServerLine): { readonly host: string; readonly port: number } | null {
  const { client } = server
  if (client === null) return null
  return { host: client.host === null || isWildcard(client.host) ? server.host : client.host, port: client.port }
}

/** Whether a host stands for all addresses of a machine; none at all does, too. */
export function isWildcard(host: string | null): boolean {
  return host === null || WILDCARDS.has(host)
}

/**
 * Checks that no two ports are the same.
 *
 * @param servers - by myid
 * @throws RangeError that names both
 */
export function checkPortsDiffer(servers: ReadonlyMap<number, ServerLine>): void {
  const taken = new Map<string, string>()
  for (const [id, server] of servers) {
    const client = clientAddressOf(server)
    const ports = [
      ['peer port', server.host, server.peerPort],
      ['election port', server.host, server.electionPort],
      ...(client === null ? [] : [['client port', client.host, client.port] as const]),
    ] as const
    for (const [what, host, port] of ports) {
      const place = `${bracketed(host)}:${port}`
      const other = taken.get(place)
      const own = `the ${what} of server ${id}`
      if (other !== undefined) throw new RangeError(`${place} is ${other} and ${own}: each needs one of its own`)
      taken.set(place, own)
    }
  }
}

function clientOf(text: string, wrong: (what: string) => TypeError): ServerLine['client'] {
  const [, host, port] = CLIENT.exec(text) ?? []
  if (port === undefined) throw wrong(`${textOf(text)} is not [clientHost:]clientPort`)
  return { host: host === undefined ? null : bare(host), port: portOf(port, 'client port', wrong) }
}

function portOf(text: string, name: string, wrong: (what: string) => TypeError): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > PORT_MAX) throw wrong(`the ${name} must be from 1 to ${PORT_MAX}, not ${textOf(text)}`)
  return port
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
