/**
 * The users that a server knows at present, and their exchanges with it. Files that are replaced are read again,
 * without a restart; who has proved something on a connection stays that until it ends.
 *
 * Users     of the JAAS file by DIGEST-MD5, of the file of verifiers by SCRAM-SHA-256. The same name in both is the
 *           same user, so that one can move from the one mechanism to the other.
 * Strangers get the salt and the rounds of a user that there is not, the same each time, and are refused with their
 *           proof: it cannot be told from outside who is a user.
 */
import { createHmac } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { digestServer } from '../../../sasl/digest-md5.ts'
import { chosenBy } from '../../../sasl/mechanism.ts'
import type { SaslMechanism, ServerExchange } from '../../../sasl/mechanism.ts'
import { SCRAM_ROUNDS, scramServer } from '../../../sasl/scram.ts'
import type { ScramVerifier } from '../../../sasl/scram.ts'
import type { RandomSource, SaslAuthority, SaslExchange } from '../../server/ports.ts'
import { ReplacedFiles } from '../replaced-files.ts'
import { readJaasUsers } from './jaas-file.ts'
import type { SaslEvent, SaslSettings } from './sasl-settings.ts'
import { readVerifiers } from './verifier-file.ts'

const NONCE_BYTES = 18
const SALT_BYTES = 16
const SECRET_BYTES = 32
/** Longest file, in bytes. */
const FILE_BYTES_MAX = 0x100_0000
const NO_BYTES = new Uint8Array()

interface Users {
  readonly passwords: ReadonlyMap<string, string>
  readonly verifiers: ReadonlyMap<string, ScramVerifier>
}

/** The users of one server. */
export class SaslUsers implements SaslAuthority {
  readonly #settings: SaslSettings
  readonly #random: RandomSource
  readonly #secret: Uint8Array
  readonly #files: ReplacedFiles<Users>

  /**
   * Reads the files.
   *
   * @throws Error that names the file
   */
  constructor(settings: SaslSettings, random: RandomSource, onEvent: (event: SaslEvent) => void) {
    this.#settings = settings
    this.#random = random
    this.#secret = random.bytes(SECRET_BYTES)
    const files = filesOf(settings)
    this.#files = new ReplacedFiles({
      paths: files,
      read: () => usersOf(settings),
      onLoaded: ({ passwords, verifiers }) => {
        const names = new Set([...passwords.keys(), ...verifiers.keys()])
        onEvent({ type: 'users-loaded', files, count: names.size })
      },
      onKept: (reason) => onEvent({ type: 'users-kept', reason }),
    })
  }

  begin(): SaslExchange {
    let exchange: ServerExchange | null = null
    return {
      step: (token) => {
        if (exchange === null) {
          const chosen = chosenBy(token)
          const offer = 'refusal' in chosen ? chosen.refusal : this.#offer(chosen.mechanism)
          if ('refusal' in chosen || typeof offer === 'string') {
            return { kind: 'refused', user: null, reason: offer as string }
          }
          exchange = offer
          token = chosen.message
        }
        const step = exchange.step(token)
        if (step.kind !== 'proved') return step
        return { ...step, isSuper: this.#settings.superUsers.includes(step.user) }
      },
    }
  }

  /** The beginning of an exchange; the reason if there is none of that mechanism. */
  #offer(mechanism: SaslMechanism): ServerExchange | string {
    const { passwords, verifiers } = this.#files.current().content
    const nonce = Buffer.from(this.#random.bytes(NONCE_BYTES)).toString('base64')
    if (mechanism === 'DIGEST-MD5') {
      if (passwords.size === 0) return 'DIGEST-MD5 is not offered: there is no JAAS file with users'
      return digestServer(nonce, (user) => passwords.get(user) ?? null)
    }
    if (verifiers.size === 0) return 'SCRAM-SHA-256 is not offered: there is no file of verifiers with users'
    const [first] = verifiers.values()
    const rounds = first?.rounds ?? SCRAM_ROUNDS
    return scramServer(nonce, (user) => verifiers.get(user) ?? null, (user) => {
      const [salt, key] = ['salt', 'key'].map((what) => createHmac('sha256', this.#secret).update(what + user).digest())
      const keys = { storedKey: key ?? NO_BYTES, serverKey: NO_BYTES }
      return { salt: (salt ?? NO_BYTES).subarray(0, SALT_BYTES), rounds, ...keys }
    })
  }
}

function filesOf({ jaasFile, verifierFile }: SaslSettings): string[] {
  return [jaasFile, verifierFile].filter((file) => file !== null)
}

function usersOf({ jaasFile, jaasSection, verifierFile }: SaslSettings): Users {
  return {
    passwords: jaasFile === null ? new Map() : readJaasUsers(textOf(jaasFile), jaasFile, jaasSection),
    verifiers: verifierFile === null ? new Map() : readVerifiers(textOf(verifierFile), verifierFile),
  }
}

function textOf(file: string): string {
  try {
    const { size } = statSync(file)
    if (size > FILE_BYTES_MAX) throw new Error(`it has more than ${FILE_BYTES_MAX} bytes`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot read the users in ${file}: ${reason}`, { cause: error })
  }
}
