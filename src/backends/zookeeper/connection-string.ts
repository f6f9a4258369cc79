/**
 * Where the servers are, in ZooKeeper's own form: `host1:2181,host2:2181/chroot`.
 *
 *     host           a name, an IPv4 address, or an IPv6 address in brackets
 *     :port          2181 if it is left out
 *     /chroot        the node that everything of this client lives under; none if it is left out
 *
 * Source    ConnectStringParser.java.
 */
import { isValidPath } from '../../core/path.ts'

const PORT = 2181
const PORT_MAX = 65_535
const HOSTS_MAX = 256

/** One server. */
export interface ServerAddress {
  /** Name or address, an IPv6 address without its brackets. */
  readonly host: string
  readonly port: number
}

/** What a connection string says. */
export interface Destination {
  /** In the order in which they were written. */
  readonly servers: readonly ServerAddress[]
  /** A node's path; `/` if there is none. */
  readonly chroot: string
}

/**
 * Reads a connection string.
 *
 * @throws TypeError with the value and what is wrong with it; a value that may hold a password is not shown
 */
export function destinationOf(connectionString: string): Destination {
  if (typeof connectionString !== 'string') {
    throw new TypeError(`the servers must be a string like host:2181,host:2181/chroot, got ${typeof connectionString}`)
  }
  if (connectionString.includes('@')) {
    throw new TypeError('the servers must be a string without @: who you are goes into the option auth')
  }
  const wrong = (what: string): TypeError => {
    const value = JSON.stringify(connectionString)
    return new TypeError(`the servers must be host:2181,host:2181/chroot, got ${value}: ${what}`)
  }
  const slash = connectionString.indexOf('/')
  const hosts = slash === -1 ? connectionString : connectionString.slice(0, slash)
  const chroot = slash === -1 ? '/' : connectionString.slice(slash)
  if (!isValidPath(chroot)) throw wrong(`${JSON.stringify(chroot)} is not a node's path`)
  const parts = hosts.split(',').map((part) => part.trim())
  if (parts.length > HOSTS_MAX) throw wrong(`more than ${HOSTS_MAX} servers`)
  return { servers: parts.map((part) => serverOf(part, wrong)), chroot }
}

/** A server as it stands in a connection string. */
export function textOf({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function serverOf(part: string, wrong: (what: string) => TypeError): ServerAddress {
  if (part === '') throw wrong('a server without a name')
  if (/^[\w.%]*:[\w.%]*:/.test(part)) throw wrong(`${JSON.stringify(part)}: an IPv6 address goes into brackets`)
  const [, bracketed, name, port] = /^(?:\[([\w:.%]+)\]|([\w.-]+))(?::(.*))?$/.exec(part) ?? []
  const host = bracketed ?? name
  if (host === undefined) throw wrong(`${JSON.stringify(part)} is not host:port`)
  if (port === undefined) return { host, port: PORT }
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > PORT_MAX) throw wrong(`there is no port ${JSON.stringify(port)}`)
  return { host, port: number }
}
