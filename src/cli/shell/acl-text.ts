/**
 * Access control lists as zkCli writes them: `world:anyone:cdrwa,digest:user:hash:r`.
 *
 * Source    AclParser.java, GetAclCommand.java.
 */
import { Perm } from '../../backends/wire/codes.ts'
import type { Acl } from '../../backends/wire/records.ts'
import { UsageError } from '../exit-status.ts'

/** In the order in which they are written. */
const LETTERS = [
  ['c', Perm.create],
  ['d', Perm.delete],
  ['r', Perm.read],
  ['w', Perm.write],
  ['a', Perm.admin],
] as const

/**
 * Reads a list.
 *
 * @throws UsageError for an entry of another form; zkCli passes over those, and goes on with less than was meant
 */
export function readAcl(text: string): Acl[] {
  return text.split(',').map(readAclEntry)
}

/** Reads one entry of a list, likewise. */
export function readAclEntry(entry: string): Acl {
  const [, scheme = '', id = '', letters = ''] = /^([^:]+):(.*):([^:]*)$/s.exec(entry) ?? []
  if (scheme === '') throw new UsageError(`${JSON.stringify(entry)} does not have the form scheme:id:perm`)
  let perms = 0
  for (const letter of letters) {
    const bit = LETTERS.find(([known]) => known === letter)?.[1]
    if (bit === undefined) throw new UsageError(`unknown perm type ${letter} in ${entry}: they are c, d, r, w and a`)
    perms |= bit
  }
  return { perms, scheme, id }
}

/** One entry of a list as {@link readAclEntry} reads it. */
export function aclEntryText({ scheme, id, perms }: Acl): string {
  return `${scheme}:${id}:${permsText(perms)}`
}

/** The letters of permissions. */
export function permsText(perms: number): string {
  return LETTERS.map(([letter, bit]) => ((perms & bit) === 0 ? '' : letter)).join('')
}
