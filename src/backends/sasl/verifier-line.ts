/**
 * The line of a file of users that stands for a password: `name:SCRAM-SHA-256$rounds:salt$storedKey:serverKey`, the
 * last four as in PostgreSQL, all bytes in base64.
 */
import { SCRAM_KEY_BYTES, SCRAM_ROUNDS_MAX, SCRAM_ROUNDS_MIN, SCRAM_SALT_BYTES_MAX } from './scram.ts'
import type { ScramVerifier } from './scram.ts'

const LINE = /^([^:]+):SCRAM-SHA-256\$([1-9]\d{0,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/
/** Longest name, in characters. */
const NAME_CHARS_MAX = 256

/** Says why there can be no user of a name, or null. */
export function nameProblem(name: string): string | null {
  if (name === '' || name.length > NAME_CHARS_MAX) return `it has 1 to ${NAME_CHARS_MAX} characters`
  const isOdd = /[:\s\p{Cc}]/u.test(name) || name.startsWith('#')
  return isOdd ? 'it has no colon, no space and does not begin with #' : null
}

/** The line of a user. */
export function verifierLine(name: string, { rounds, salt, storedKey, serverKey }: ScramVerifier): string {
  const [a, b, c] = [salt, storedKey, serverKey].map((bytes) => Buffer.from(bytes).toString('base64'))
  return `${name}:SCRAM-SHA-256$${rounds}:${a}$${b}:${c}`
}

/**
 * Reads a line.
 *
 * @returns null if it is none; the line is in no message, as it may be a password
 */
export function readVerifierLine(line: string): { readonly name: string; readonly verifier: ScramVerifier } | null {
  const [found, name = '', count = '', ...parts] = LINE.exec(line) ?? []
  if (found === undefined || nameProblem(name) !== null) return null
  const [salt = Buffer.alloc(0), storedKey = salt, serverKey = salt] = parts.map((part) => Buffer.from(part, 'base64'))
  const rounds = Number(count)
  const areKeys = [storedKey, serverKey].every(({ length }) => length === SCRAM_KEY_BYTES)
  const isSalt = salt.length > 0 && salt.length <= SCRAM_SALT_BYTES_MAX
  if (!areKeys || !isSalt || rounds < SCRAM_ROUNDS_MIN || rounds > SCRAM_ROUNDS_MAX) return null
  return { name, verifier: { salt, rounds, storedKey, serverKey } }
}
