/**
 * Who a client is: the identities of a connection, and how it proves them.
 *
 * Model     every connection over a network has the identity of its address; addauth adds others. They belong to the
 *           connection, and each request carries those that the connection had when it came.
 * Schemes   digest: `user:base64(sha1(user:password))`, proved by `user:password`, which travels in clear; whoever has
 *           the one that the configuration names is `super` and bypasses all lists. ip: the address, which needs no
 *           proof. x509: the subject of the certificate that a client has shown by TLS; a claim of it changes
 *           nothing. There are no others; to claim one fails. sasl: the user that was proved by an exchange
 *           (clients/proofs.ts).
 * Limits    identities of a connection, and the length of a claim; beyond them a claim fails. The reference has none
 *           but the length of a request.
 * Source    DigestAuthenticationProvider.java, IPAuthenticationProvider.java, AuthUtil.java of ZooKeeper 3.8.
 */
import type { AuthRequest, ClientInfo } from '../../../wire/records.ts'
import { canonicalAddress } from './ip-address.ts'
import type { ServerPorts } from '../ports.ts'

/** One thing that a client is known as. */
export interface Identity {
  readonly scheme: string
  readonly id: string
}

/** Most identities of one connection. */
export const IDENTITIES_MAX = 100
/** Longest `user:password`, in bytes. */
export const CLAIM_BYTES_MAX = 4_096

/** The identities of a client that has proved none. */
export const NO_IDENTITIES: readonly Identity[] = Object.freeze([])

/** The client that makes a claim. */
export interface Claimant {
  /** The identities that the connection has. */
  readonly identities: readonly Identity[]
  /** The address that the client is at; empty if it is in this process. */
  readonly address: string
}

/** The server that a claim is made to. */
export interface Authority extends Pick<ServerPorts, 'digest'> {
  /** The digest of the superuser, `user:hash`; null if there is none. */
  readonly superDigest: string | null
}

/** The identities of a client at an address; empty: in this process. */
export function identitiesAt(address: string): readonly Identity[] {
  return address === '' ? NO_IDENTITIES : [{ scheme: 'ip', id: canonicalAddress(address) }]
}

/**
 * Judges a claim.
 *
 * @returns all identities that the connection has from now on, or null if the claim is refused
 */
export function authenticate(
  { scheme, auth }: AuthRequest,
  { identities, address }: Claimant,
  { superDigest, digest }: Authority,
): readonly Identity[] | null {
  if (scheme === 'ip' && address !== '') return merged(identities, identitiesAt(address))
  if (scheme === 'x509' && identities.some((identity) => identity.scheme === scheme)) return identities
  if (scheme !== 'digest' || auth === null || auth.length > CLAIM_BYTES_MAX) return null
  const id = digestOf(auth, digest)
  const own = { scheme, id }
  return merged(identities, id === superDigest ? [{ scheme: 'super', id: '' }, own] : [own])
}

/** Whether somebody claims to be the superuser, with a password that is not his. */
export function isWrongSuper({ scheme, auth }: AuthRequest, { superDigest, digest }: Authority): boolean {
  if (scheme !== 'digest' || auth === null || superDigest === null) return false
  const [user = ''] = superDigest.split(':')
  const [claimed = ''] = Buffer.from(auth).toString().split(':')
  return claimed === user && digestOf(auth, digest) !== superDigest
}

/** Identities as whoAmI tells them: never the hash of a password. */
export function clientInfoOf(identities: readonly Identity[]): readonly ClientInfo[] {
  return identities.map(({ scheme, id }) => ({
    authScheme: scheme,
    user: scheme === 'digest' ? (id.split(':')[0] ?? '') : id,
  }))
}

/** `user:hash` of `user:password`. */
function digestOf(auth: Uint8Array, digest: Authority['digest']): string {
  const text = Buffer.from(auth).toString()
  const [user = ''] = text.split(':')
  return `${user}:${Buffer.from(digest(Buffer.from(text))).toString('base64')}`
}

/**
 * Identities, and others besides.
 *
 * @returns null if there would be too many
 */
export function merged(identities: readonly Identity[], added: readonly Identity[]): readonly Identity[] | null {
  const isNew = (one: Identity): boolean => !identities.some(({ scheme, id }) => scheme === one.scheme && id === one.id)
  const fresh = added.filter(isNew)
  // A claim of what is known already leaves the same list.
  if (fresh.length === 0) return identities
  return identities.length + fresh.length > IDENTITIES_MAX ? null : [...identities, ...fresh]
}
