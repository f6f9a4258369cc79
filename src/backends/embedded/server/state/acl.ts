/**
 * Access control lists: who may do what with a node.
 *
 * Model     a list has entries of permissions and an identity; a client with a matching identity has the permissions of
 *           all matching entries. Lists are not inherited. `world:anyone` is everyone; in a request `auth` stands for
 *           the identities that the requester has proved.
 * Cost      the list that lets anyone do anything is one shared value, and is not even looked at. The permissions that
 *           another one grants to a client are found in one pass, once: lists and identities never change.
 * Limits    entries of a list; the reference has none but the length of a request.
 * Source    ZooKeeperServer.checkACL, PrepRequestProcessor.fixupACL, FinalRequestProcessor (getACL) of ZooKeeper 3.8.
 */
import { Err, Perm } from '../../../wire/codes.ts'
import { OPEN_ACL } from '../../../wire/records.ts'
import type { Acl, AclWish } from '../../../wire/records.ts'
import type { Identity } from './identities.ts'
import { isAddressRange, isInRange } from './ip-address.ts'

const SCHEMES: ReadonlySet<string> = new Set(['world', 'digest', 'ip', 'x509', 'sasl'])
/** The schemes of proved identities; an address is not proved. */
const PROVED: ReadonlySet<string> = new Set(['digest', 'x509', 'sasl'])

/** Most entries of a list, duplicates left out. */
export const ACL_ENTRIES_MAX = 1_024
/** Length of all lists of one request together in which `auth` was replaced, in characters after that. */
export const ACL_EXPANDED_CHARS_MAX = 0x10_0000
/** Bytes of an entry besides its characters. */
const ENTRY_CHARS = 12
/** A subject has types and values. */
const SUBJECT = /^[A-Za-z0-9.]+=/
/** A user of SASL has the form of a name of Kerberos, so that ZooKeeper can read the list. */
const SASL_USER = /^(?:[^@]*|[^/@]*(?:\/[^/@]*)?@[^/@]*)$/
/** The permissions of a client that bypasses all lists. */
const EVERYTHING = -1

/** The characters that a request may still make of the `auth` entries in it. */
export interface AclAllowance {
  chars: number
  /** Whether entries of the scheme sasl are taken: where nobody can prove one, they match nobody. */
  readonly hasSasl: boolean
}

/** The identities of a client, ready to be looked up, and the permissions that lists grant to it. */
interface Grants {
  readonly isSuper: boolean
  readonly digests: ReadonlySet<string>
  readonly subjects: ReadonlySet<string>
  readonly saslUsers: ReadonlySet<string>
  readonly addresses: readonly string[]
  readonly perms: WeakMap<readonly Acl[], number>
}

const GRANTS = new WeakMap<readonly Identity[], Grants>()

/**
 * Whether a client may do something with a node.
 *
 * @param perms - bits of `Perm`, of which one is enough
 */
export function isPermitted(acl: readonly Acl[], perms: number, identities: readonly Identity[]): boolean {
  if (acl === OPEN_ACL || acl.length === 0) return true
  const grants = grantsOf(identities)
  let granted = grants.perms.get(acl)
  if (granted === undefined) {
    granted = permsOf(acl, grants)
    grants.perms.set(acl, granted)
  }
  return granted === EVERYTHING || (granted & perms) !== 0
}

function grantsOf(identities: readonly Identity[]): Grants {
  const known = GRANTS.get(identities)
  if (known !== undefined) return known
  const idsOf = (wanted: string): string[] => {
    return identities.flatMap(({ scheme, id }) => (scheme === wanted ? [id] : []))
  }
  const grants = {
    isSuper: idsOf('super').length > 0,
    digests: new Set(idsOf('digest')),
    subjects: new Set(idsOf('x509')),
    saslUsers: new Set(idsOf('sasl')),
    addresses: idsOf('ip'),
    perms: new WeakMap<readonly Acl[], number>(),
  }
  GRANTS.set(identities, grants)
  return grants
}

/** The permissions of all entries that match. */
function permsOf(acl: readonly Acl[], grants: Grants): number {
  if (grants.isSuper) return EVERYTHING
  let granted = 0
  for (const entry of acl) if (isMatch(entry, grants)) granted |= entry.perms
  return granted
}

/**
 * The list that a node gets where a client asks for this one: without duplicates, `auth` replaced by the identities, so
 * that what stands in its id does not matter. Clients such as kazoo send null there.
 *
 * @param allowance - of the request that it stands in
 * @returns an error number if it is empty, has an entry that can match nobody, or is beyond a limit; another one if it
 * has a null where an id must be
 */
export function completedAcl(
  acl: readonly AclWish[],
  identities: readonly Identity[],
  allowance: AclAllowance,
): readonly Acl[] | number {
  if (acl === OPEN_ACL || isOpen(acl)) return OPEN_ACL
  const wanted = withoutDuplicates(acl)
  if (wanted === null) return Err.marshallingError
  const completed: Acl[] = []
  for (const entry of wanted) {
    const { perms, scheme, id } = entry
    if (scheme === 'auth') {
      const proved = identities.filter((identity) => PROVED.has(identity.scheme))
      allowance.chars -= proved.reduce((sum, identity) => sum + identity.id.length + ENTRY_CHARS, 0)
      if (proved.length === 0 || allowance.chars < 0) return Err.invalidAcl
      for (const identity of proved) completed.push({ perms, scheme: identity.scheme, id: identity.id })
    } else {
      if (scheme === null || !SCHEMES.has(scheme)) return Err.invalidAcl
      if (scheme === 'sasl' && !allowance.hasSasl) return Err.invalidAcl
      if (id === null) return Err.marshallingError
      if (!isValid(scheme, id)) return Err.invalidAcl
      completed.push({ perms, scheme, id })
    }
    if (completed.length > ACL_ENTRIES_MAX) return Err.invalidAcl
  }
  return completed.length === 0 ? Err.invalidAcl : completed
}

/**
 * The first of equal ones stays. Null: one with a null would have to be compared with an earlier one that is like it up
 * to there, which the reference cannot do.
 */
function withoutDuplicates(acl: readonly AclWish[]): Iterable<AclWish> | null {
  if (acl.length < 2) return acl
  if (acl.some(({ scheme, id }) => scheme === null || id === null) && comparesNull(acl)) return null
  const first = new Map<string, AclWish>()
  for (const entry of acl) {
    const { perms, scheme, id } = entry
    // Two numbers and a flag: no two entries give the same.
    const key = `${perms} ${scheme?.length ?? 'null'} ${id === null} ${scheme ?? ''}${id ?? ''}`
    if (!first.has(key)) first.set(key, entry)
  }
  return first.values()
}

/** Entries are compared by permissions, then by scheme, then by id. */
function comparesNull(acl: readonly AclWish[]): boolean {
  const perms = new Set<number>()
  const schemes = new Set<string>()
  for (const entry of acl) {
    const { scheme, id } = entry
    const ofScheme = `${entry.perms} ${scheme?.length ?? 'null'} ${scheme ?? ''}`
    if (scheme === null ? perms.has(entry.perms) : id === null && schemes.has(ofScheme)) return true
    perms.add(entry.perms)
    schemes.add(ofScheme)
  }
  return false
}

/** A list as a client sees it: only a client that may change it sees the hashes of passwords. */
export function visibleAcl(acl: readonly Acl[], identities: readonly Identity[]): readonly Acl[] {
  if (isPermitted(acl, Perm.admin, identities)) return acl
  return acl.map(({ perms, scheme, id }) => ({
    perms,
    scheme,
    id: scheme === 'digest' ? id.replace(/:.*/, ':x') : id,
  }))
}

/** The shared value for the list that is this one nearly always, instead of what was decoded for each node. */
export function sharedAcl(acl: readonly Acl[]): readonly Acl[] {
  return isOpen(acl) ? OPEN_ACL : acl
}

function isOpen(acl: readonly AclWish[]): boolean {
  const only = acl[0]
  return acl.length === 1 && only?.perms === Perm.all && only.scheme === 'world' && only.id === 'anyone'
}

function isMatch({ scheme, id }: Acl, { digests, subjects, saslUsers, addresses }: Grants): boolean {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'digest':
      return digests.has(id)
    case 'x509':
      return subjects.has(id)
    case 'sasl':
      return saslUsers.has(id)
    case 'ip':
      return addresses.some((address) => isInRange(address, id))
    default:
      return false
  }
}

function isValid(scheme: string, id: string): boolean {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'digest':
      return hasTwoParts(id)
    case 'x509':
      return SUBJECT.test(id)
    case 'sasl':
      return SASL_USER.test(id)
    case 'ip':
      return isAddressRange(id)
    default:
      return false
  }
}

/** Java's split by colons, which leaves out empty parts at the end, finds two. */
function hasTwoParts(id: string): boolean {
  let end = id.length
  while (end > 0 && id.charAt(end - 1) === ':') end -= 1
  const first = id.indexOf(':')
  if (first === -1 || first >= end) return false
  const second = id.indexOf(':', first + 1)
  return second === -1 || second >= end
}
