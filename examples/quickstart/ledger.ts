/**
 * The ledger: what the lock guards. An append-only file that protects itself as well, by fencing.
 *
 * Safety    an entry is refused if its token is not greater than the greatest seen: whoever sends it was overtaken,
 *           even if it does not know yet. A job that is there is refused too.
 * Format    one JSON object a line; what `open` finds in the file counts as seen.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One line of the ledger. */
export interface Entry {
  /** The fencing token of the lease under which it was written, in decimal digits: JSON has no bigint. */
  readonly token: string
  readonly job: string
  readonly worker: string
  /** The worker's session, in hexadecimal digits. */
  readonly session: string
  /** Version of the configuration that it was priced by. */
  readonly version: number
  readonly currency: string
  readonly net: number
  readonly vat: number
  readonly total: number
}

/** Why an entry is not in the ledger. */
export class LedgerRefusal extends Error {
  readonly reason: 'stale-token' | 'job-done'

  constructor(reason: LedgerRefusal['reason'], message: string) {
    super(message)
    this.name = 'LedgerRefusal'
    this.reason = reason
  }
}

/** An open ledger. */
export class Ledger {
  readonly file: string
  readonly #jobs = new Set<string>()
  #greatestToken = 0n
  #waiting: { readonly length: number; readonly wake: () => void }[] = []

  /** Opens a ledger; the file may be missing. */
  constructor(file: string) {
    this.file = file
    if (!existsSync(file)) return
    for (const entry of parseLedger(readFileSync(file, 'utf8'))) this.#see(entry)
  }

  /** How many entries there are. */
  get length(): number {
    return this.#jobs.size
  }

  /** Whether a job is done. */
  has(job: string): boolean {
    return this.#jobs.has(job)
  }

  /**
   * Appends an entry. Not a promise on purpose: nothing can come between the check and the write.
   *
   * @throws LedgerRefusal if it was overtaken, or the job is done
   */
  append(entry: Entry): void {
    const token = BigInt(entry.token)
    if (token <= this.#greatestToken) {
      const message = `token 0x${token.toString(16)} comes after 0x${this.#greatestToken.toString(16)}`
      throw new LedgerRefusal('stale-token', message)
    }
    if (this.#jobs.has(entry.job)) throw new LedgerRefusal('job-done', `${entry.job} is in the ledger`)
    appendFileSync(this.file, `${JSON.stringify(entry)}\n`)
    this.#see(entry)
  }

  /** Resolves as soon as there are so many entries; rejects with the signal's reason. */
  async untilLength(length: number, signal: AbortSignal): Promise<void> {
    if (this.length >= length) return
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort, { once: true })
      const wake = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.push({ length, wake })
    })
  }

  #see({ token, job }: Entry): void {
    this.#greatestToken = BigInt(token)
    this.#jobs.add(job)
    const reached = this.#waiting.filter(({ length }) => this.length >= length)
    this.#waiting = this.#waiting.filter((waiting) => !reached.includes(waiting))
    for (const { wake } of reached) wake()
  }
}

/** Reads the text of a ledger. */
export function parseLedger(text: string): Entry[] {
  const lines = text.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Entry)
}
