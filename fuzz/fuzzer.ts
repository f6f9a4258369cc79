/**
 * The loop: takes an input of the corpus, changes it, runs it, and keeps it if it reached something new.
 *
 * Same      a seed, a target and a corpus give the same inputs, for a pure target up to the n-th; how many there are is
 *           up to the time. For others no input leads to the next one within a run, so that all of them are the same.
 * Smaller   a finding is made smaller as long as it stays one of the same kind.
 */
import { Coverage } from './coverage.ts'
import { judge, signatureOf } from './judge.ts'
import type { Verdict } from './judge.ts'
import { SeededRandom } from '../src/testing/simulation/random.ts'
import type { Target } from './target.ts'

const CHANGES_MAX = 6
/** One in two inputs comes from the last so many of the corpus. */
const RECENT = 32
const SMALLER_TRIES_MAX = 400
const SMALLER_MS_MAX = 5_000

/** How long to go on; all limits hold. */
interface Budget {
  /** When to stop, by `performance.now()`. */
  readonly untilMs: number
  /** How many inputs, beside those of the corpus. */
  readonly inputs: number
  /** How many findings. */
  readonly findings: number
}

/** A broken promise and a small input that breaks it. */
export interface Finding {
  readonly verdict: Verdict
  readonly input: Uint8Array
}

/** The outcome of a run. */
export interface Outcome {
  readonly inputs: number
  readonly places: number
  /** Inputs that reached something new, and are not of the corpus. */
  readonly kept: readonly Uint8Array[]
  readonly findings: readonly Finding[]
}

/** One run of one target. */
export class Fuzzer {
  readonly #target: Target
  readonly #random: SeededRandom
  readonly #coverage = new Coverage()
  readonly #corpus: Uint8Array[] = []
  readonly #kept: Uint8Array[] = []
  readonly #findings: Finding[] = []
  readonly #onInput: (input: Uint8Array) => void
  #inputs = 0

  /**
   * Makes a run.
   *
   * @param onInput - told of each input before it is run
   */
  constructor(target: Target, seed: number, onInput: (input: Uint8Array) => void = () => undefined) {
    this.#target = target
    this.#random = new SeededRandom(seed).fork(target.name)
    this.#onInput = onInput
  }

  /** Runs the corpus, and then inputs made of it. The target has been started. */
  async run(corpus: readonly Uint8Array[], budget: Budget): Promise<Outcome> {
    for (const input of corpus) {
      this.#corpus.push(input)
      await this.#try(input)
    }
    let made = 0
    while (this.#findings.length < budget.findings && made < budget.inputs && performance.now() < budget.untilMs) {
      const input = this.#next()
      made += 1
      if (!(await this.#try(input))) continue
      this.#kept.push(input)
      if (this.#target.isPure) this.#corpus.push(input)
    }
    const { places } = this.#coverage
    return { inputs: this.#inputs, places, kept: this.#kept, findings: this.#findings }
  }

  /** Runs an input; whether it reached something new and broke nothing. */
  async #try(input: Uint8Array): Promise<boolean> {
    const verdict = await this.#judged(input)
    const isNew = this.#coverage.take()
    if (verdict === null) return isNew
    const isKnown = this.#findings.some((one) => signatureOf(one.verdict) === signatureOf(verdict))
    if (!isKnown) this.#findings.push({ verdict, input: await this.#smaller(input, verdict) })
    return false
  }

  async #judged(input: Uint8Array): Promise<Verdict | null> {
    this.#inputs += 1
    this.#onInput(input)
    this.#coverage.reset()
    return judge(this.#target, input)
  }

  #next(): Uint8Array {
    const random = this.#random
    let input = this.#picked()
    for (let changes = random.between(1, CHANGES_MAX); changes > 0; changes--) {
      input = random.pick(this.#target.mutators)(input, random, this.#picked())
    }
    return input.subarray(0, this.#target.limits.inputBytesMax)
  }

  #picked(): Uint8Array {
    const all = this.#corpus
    if (all.length === 0) return new Uint8Array()
    const from = this.#random.chance(0.5) ? Math.max(0, all.length - RECENT) : 0
    return all[this.#random.between(from, all.length - 1)] ?? new Uint8Array()
  }

  async #smaller(input: Uint8Array, found: Verdict): Promise<Uint8Array> {
    const signature = signatureOf(found)
    let best = input
    const untilMs = performance.now() + SMALLER_MS_MAX
    let tries = 0
    const isWorthIt = (): boolean => tries < SMALLER_TRIES_MAX && performance.now() < untilMs
    for (let step = Math.ceil(best.length / 2); step >= 1; step = step === 1 ? 0 : Math.ceil(step / 2)) {
      for (let at = 0; at < best.length && isWorthIt();) {
        const less = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + step)])
        tries += 1
        const verdict = await this.#judged(less)
        if (verdict !== null && signatureOf(verdict) === signature) best = less
        else at += step
      }
    }
    return best
  }
}
