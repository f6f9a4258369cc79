/**
 * Where the servers are, in ZooKeeper's own form: `host1:2181,host2:2181/chroot`. It may have
 * `zookeeper://` before it.
 *
 *     host           a name, an IPv4 address, or an IPv6 address in brackets
 *     :port          2181 if it is left out
 *     /chroot        the node that everything of this client lives under, once and at the end; none if it is left out
 *
 * Source    ConnectStringParser.java.
 */
import { isValidPath } from '../../core/path.ts'
import { textOf as shown } from '../../core/value-text.ts'
import type { ServerAddress } from '../client/server-address.ts'

const PORT = 2181
const PORT_MAX = 65_535
const HOSTS_MAX = 256

/** Longest chroot: it shares the room in a request with the path of the client. In characters. */
const CHROOT_CHARS_MAX = 256

/** The parts of a connection string. */
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
    throw new TypeError(`the servers must be a string like host:2181,host:2181/chroot, got ${shown(connectionString)}`)
  }
  if (connectionString.includes('@')) {
    throw new TypeError('the servers must be a string without @: who you are goes into the option auth')
  }
  const wrong = (what: string): TypeError => {
    const value = shown(connectionString)
    return new TypeError(`the servers must be host:2181,host:2181/chroot, got ${value}: ${what}`)
  }
  const list = withoutScheme(connectionString, wrong)
  const slash = list.indexOf('/')
  const hosts = slash === -1 ? list : list.slice(0, slash)
  const chroot = slash === -1 ? '/' : list.slice(slash)
  validateChroot(chroot, wrong)
  const parts = hosts.split(',').map((part) => part.trim())
  if (parts.length > HOSTS_MAX) throw wrong(`more than ${HOSTS_MAX} servers`)
  return { servers: parts.map((part) => serverOf(part, wrong)), chroot }
}

function withoutScheme(text: string, wrong: (what: string) => TypeError): string {
  const [, scheme, rest = text] = /^(\w[\w+.-]*):\/\/(.*)$/s.exec(text) ?? []
  if (scheme !== undefined && scheme !== 'zookeeper') {
    throw wrong(`${shown(`${scheme}://`)} is not ZooKeeper's: write zookeeper://, or nothing, before the first host`)
  }
  if (scheme !== undefined && /[?#]/.test(rest)) throw wrong('a URL of ZooKeeper has no ? and no #')
  return rest
}

function validateChroot(chroot: string, wrong: (what: string) => TypeError): void {
  if (chroot.includes(',')) {
    const once = 'the chroot is given once, after the last server'
    throw wrong(`${shown(chroot)} cannot be a chroot: ${once}, and a node with a comma cannot be one (use a namespace)`)
  }
  if (!isValidPath(chroot)) throw wrong(`${shown(chroot)} is not a node's path`)
  if (chroot.length > CHROOT_CHARS_MAX) throw wrong(`the chroot is longer than ${CHROOT_CHARS_MAX} characters`)
}

function serverOf(part: string, wrong: (what: string) => TypeError): ServerAddress {
  if (part === '') throw wrong('a server without a name')
  if (/^[\w.%]*:[\w.%]*:/.test(part)) throw wrong(`${shown(part)}: an IPv6 address goes into brackets`)
  const [, bracketed, name, port] = /^(?:\[([\w:.%]+)\]|([\w.-]+))(?::(.*))?$/.exec(part) ?? []
  const host = bracketed ?? name
  if (host === undefined) throw wrong(`${shown(part)} is not host:port`)
  if (port === undefined) return { host, port: PORT }
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > PORT_MAX) throw wrong(`there is no port ${shown(port)}`)
  return { host, port: number }
}
