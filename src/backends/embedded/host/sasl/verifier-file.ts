/** The users in a file of verifiers: a line of `quorate scram-user` per user, comments and empty lines. */
import type { ScramVerifier } from '../../../sasl/scram.ts'
import { readVerifierLine } from '../../../sasl/verifier-line.ts'

/**
 * Reads the users of a file.
 *
 * @param file - for messages
 * @throws Error with file and line, and nothing that stands there: it may be a password
 */
export function readVerifiers(text: string, file: string): ReadonlyMap<string, ScramVerifier> {
  const verifiers = new Map<string, ScramVerifier>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const read = readVerifierLine(line.trim())
    if (read === null) throw new Error(`${file}:${index + 1}: this is no line of quorate scram-user`)
    if (verifiers.has(read.name)) throw new Error(`${file}:${index + 1}: this user stands there twice`)
    verifiers.set(read.name, read.verifier)
  }
  if (verifiers.size === 0) throw new Error(`${file}: it has no users: quorate scram-user NAME makes a line`)
  return verifiers
}
