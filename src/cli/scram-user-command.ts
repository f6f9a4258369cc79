/**
 * `quorate scram-user NAME`: the line by which a server knows a user, without its password.
 *
 *     quorate scram-user ann >> /etc/quorate/users
 *
 * Output    one line on standard output, for a file of users: name, salt, rounds and keys (RFC 5803 calls the latter
 *           StoredKey and ServerKey).
 */
import { newSalt } from '../backends/sasl/io/nonce.ts'
import { SCRAM_ROUNDS, SCRAM_ROUNDS_MAX, SCRAM_ROUNDS_MIN, scramVerifier } from '../backends/sasl/scram.ts'
import { nameProblem, verifierLine } from '../backends/sasl/verifier-line.ts'
import { takeOptions } from './command-options.ts'
import { PASSWORD_VARIABLE, passwordOf } from './credentials.ts'
import type { Ask } from './credentials.ts'
import { ExitStatus, Failure, UsageError } from './exit-status.ts'
import type { Output } from './output.ts'

const USAGE = `usage: quorate scram-user NAME [options]
Prints a line for a server's file of users (quorate server --users FILE): the server then knows NAME by SCRAM-SHA-256.
The password is not in it. It is in ${PASSWORD_VARIABLE}, or given by an option, or asked for; never an argument.
options:
  --password-file FILE     the first line of a file
  --ask-password           asked for at the terminal, twice
  --rounds N               the work of a guess: ${SCRAM_ROUNDS_MIN} to ${SCRAM_ROUNDS_MAX} (default: ${SCRAM_ROUNDS})
  --help`

const OPTIONS = {
  'password-file': { type: 'string' },
  'ask-password': { type: 'boolean' },
  rounds: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * Prints the line.
 *
 * @param args - after `scram-user`
 * @param ask - null without a terminal
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure for a password that cannot be read or used
 */
export async function runScramUser(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output: Output,
  ask: Ask | null,
): Promise<number> {
  const { values, positionals } = takeOptions('scram-user', args, OPTIONS)
  if (values.help === true) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const [name = '', ...more] = positionals
  // Another word may be the password, so it is not shown.
  if (more.length > 0) throw new UsageError('scram-user takes a name, and no password among the arguments')
  const problem = nameProblem(name)
  if (problem !== null) throw new UsageError(`scram-user takes a name: ${problem}`)
  const rounds = roundsOf(values.rounds)
  const [file, asks] = [values['password-file'] ?? null, values['ask-password'] === true]
  if (file !== null && asks) throw new UsageError('give either --password-file or --ask-password')
  const given = await passwordOf(file, asks, env, ask, name)
  if (given === null && ask === null) {
    throw new UsageError(`no password for ${name}: set ${PASSWORD_VARIABLE}, or give --password-file FILE`)
  }
  const password = given ?? (await ask?.(`Password of ${name}: `)) ?? ''
  const isAsked = asks || given === null
  if (isAsked && (await ask?.('The same again: ')) !== password) throw new Failure('the two passwords differ')
  try {
    output.out(`${verifierLine(name, await scramVerifier(password, newSalt(), rounds))}\n`)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new Failure('this password cannot be used: it is empty, or has a control character')
  }
  return ExitStatus.ok
}

function roundsOf(text: string | undefined): number {
  if (text === undefined) return SCRAM_ROUNDS
  const rounds = Number(text)
  if (/^\d{1,9}$/.test(text) && rounds >= SCRAM_ROUNDS_MIN && rounds <= SCRAM_ROUNDS_MAX) return rounds
  throw new UsageError(`--rounds must be a whole number from ${SCRAM_ROUNDS_MIN} to ${SCRAM_ROUNDS_MAX}`)
}
