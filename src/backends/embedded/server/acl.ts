/**
 * Access control lists: who may do what with a node.
 *
 * Model     a list has entries of permissions and an identity; whoever has a matching identity has the permissions of
 *           all matching entries. Lists are not inherited. `world:anyone` is everyone; in a request `auth` stands for
 *           the identities that the requester has proved.
 * Cost      the list that lets anyone do anything is one shared value, and is not even looked at.
 * Source    ZooKeeperServer.checkACL, PrepRequestProcessor.fixupACL, FinalRequestProcessor (getACL) of ZooKeeper 3.8.
 */
import { Err, Perm } from '../../protocol/codes.ts'
import { OPEN_ACL } from '../../protocol/records.ts'
import type { Acl, AclWish } from '../../protocol/records.ts'
import type { Identity } from './identities.ts'
import { isAddressRange, isInRange } from './ip-address.ts'

const SCHEMES: ReadonlySet<string> = new Set(['world', 'digest', 'ip'])

/**
 * Whether a client may do something with a node.
 *
 * @param perms - bits of `Perm`, of which one is enough
 */
export function isPermitted(acl: readonly Acl[], perms: number, identities: readonly Identity[]): boolean {
  if (acl === OPEN_ACL || acl.length === 0) return true
  if (identities.some(({ scheme }) => scheme === 'super')) return true
  return acl.some((entry) => (entry.perms & perms) !== 0 && isMatch(entry, identities))
}

/**
 * The list that a node gets where a client asks for this one: without duplicates, `auth` replaced by who that is, so
 * that what stands in its id does not matter. Clients such as kazoo send null there.
 *
 * @returns an error number if it is empty, or has an entry that can match nobody; another one if it has a null where
 * an id must be
 */
export function completedAcl(acl: readonly AclWish[], identities: readonly Identity[]): readonly Acl[] | number {
  if (acl === OPEN_ACL || isOpen(acl)) return OPEN_ACL
  const completed: Acl[] = []
  for (const [index, entry] of acl.entries()) {
    if (acl.slice(0, index).some((earlier) => isSame(earlier, entry))) continue
    const { perms, scheme, id } = entry
    if (scheme === 'auth') {
      // An address is nothing that was proved.
      const proved = identities.filter((identity) => identity.scheme === 'digest')
      if (proved.length === 0) return Err.invalidAcl
      completed.push(...proved.map((identity) => ({ perms, scheme: identity.scheme, id: identity.id })))
    } else {
      if (scheme === null || !SCHEMES.has(scheme)) return Err.invalidAcl
      if (id === null) return Err.marshallingError
      if (!isValid(scheme, id)) return Err.invalidAcl
      completed.push({ perms, scheme, id })
    }
  }
  return completed.length === 0 ? Err.invalidAcl : completed
}

/** What a client is told of a list: only who may change it sees the hashes of passwords. */
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

function isMatch({ scheme, id }: Acl, identities: readonly Identity[]): boolean {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'digest':
      return identities.some((identity) => identity.scheme === scheme && identity.id === id)
    case 'ip':
      return identities.some((identity) => identity.scheme === scheme && isInRange(identity.id, id))
    default:
      return false
  }
}

function isValid(scheme: string, id: string): boolean {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'digest':
      // Java's split, which leaves out empty parts at the end, finds two.
      return id.replace(/:+$/, '').split(':').length === 2
    case 'ip':
      return isAddressRange(id)
    default:
      return false
  }
}

function isSame(a: AclWish, b: AclWish): boolean {
  return a.perms === b.perms && a.scheme === b.scheme && a.id === b.id
}
