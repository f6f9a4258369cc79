/** Open sessions, in one form for servers of this process and those that are asked by four-letter words. */
import { textOf } from '../../backends/client/server-address.ts'
import type { ServerAddress } from '../../backends/client/server-address.ts'
import type { Told } from '../api.ts'
import { askWord } from './ask-word.ts'
import type { LocalServers } from './local-servers.ts'

/** A session, as far as servers tell of it. */
export interface KnownSession {
  /** `0x` and hexadecimal digits. */
  readonly id: string
  readonly timeoutMs: Told<number>
  /** When it ends if nothing is heard of it, from now. */
  readonly expiresInMs: Told<number>
  /** The server that its client is connected to. */
  readonly server: Told<string>
  /** Where its client is. */
  readonly address: Told<string>
  /** Paths of its ephemeral nodes. */
  readonly ephemerals: Told<readonly string[]>
}

/** Whoever is connected. */
type Connected = Pick<KnownSession, 'id' | 'timeoutMs' | 'server' | 'address'>

const WORD_MS_MAX = 2_000
const HERE = 'in the process of its server'

/** Those of an ensemble in this process. */
export function localSessions(ensemble: Pick<LocalServers, 'sessions'>): KnownSession[] {
  return ensemble.sessions().map(({ server, address, ...session }) => ({
    ...session,
    server: server === null ? null : String(server),
    address: address === '' ? HERE : address,
  }))
}

/**
 * Those of servers elsewhere that are connected or own a node; the words `dump` and `cons` have to be enabled.
 *
 * @returns null if none of them answers one of these
 */
export async function askedSessions(
  addresses: readonly ServerAddress[],
  signal: AbortSignal,
): Promise<KnownSession[] | null> {
  const answers = await Promise.all(addresses.map(async (address) => {
    const [dump, cons] = await Promise.all(['dump', 'cons'].map((word) => {
      return askWord(address, word, WORD_MS_MAX, signal).catch(() => '')
    }))
    return { ephemerals: ephemeralsIn(dump ?? ''), connected: connectedIn(textOf(address), cons ?? '') }
  }))
  const ephemerals = new Map(answers.flatMap((answer) => [...(answer.ephemerals ?? [])]))
  const connected = new Map(answers.flatMap((answer) => answer.connected.map((one) => [one.id, one] as const)))
  const areOwnersTold = answers.some((answer) => answer.ephemerals !== null)
  if (connected.size === 0 && !areOwnersTold) return null
  return [...new Set([...connected.keys(), ...ephemerals.keys()])].map((id) => {
    const { timeoutMs = null, server = null, address = null } = connected.get(id) ?? {}
    const own = ephemerals.get(id) ?? (areOwnersTold ? [] : null)
    return { id, timeoutMs, expiresInMs: null, server, address, ephemerals: own }
  })
}

/** Paths by session, from the answer to `dump`; null if it is none. */
export function ephemeralsIn(dump: string): Map<string, string[]> | null {
  const found = new Map<string, string[]>()
  const lines = dump.split('\n')
  const start = lines.findIndex((line) => line.startsWith('Sessions with Ephemerals'))
  if (start === -1) return null
  let paths: string[] = []
  for (const line of lines.slice(start + 1)) {
    const [, id] = /^(0x[\da-f]{1,16}):$/.exec(line) ?? []
    if (id !== undefined) found.set(id, (paths = []))
    else if (line.startsWith('\t/') && found.size > 0) paths.push(line.slice(1))
    else break
  }
  return found
}

/** Who is connected, from the answer to `cons`. */
export function connectedIn(server: string, cons: string): Connected[] {
  return cons.split('\n').flatMap((line) => {
    const [, address, id, rest = ''] = /^ \/(\S+)\[\d+\]\(.*?\bsid=(0x[\da-f]{1,16}),(.*)\)$/.exec(line) ?? []
    if (address === undefined || id === undefined) return []
    const [, timeout] = /\bto=(\d{1,9})\b/.exec(rest) ?? []
    return [{ id, timeoutMs: timeout === undefined ? null : Number(timeout), server, address }]
  })
}
