/**
 * Is a history of calls linearizable? A search for an order of the calls that respects real time and that a sequential
 * model could have given.
 *
 * Model     a pure step: the effect of a call on the state, and whether its answer was possible.
 * Unknown   a call whose outcome nobody knows may have taken effect at any time after it was made, or never.
 * Verdict   the search is bounded, since histories that are wrong can take exponentially long; a search that was given
 *           up is no proof, and callers treat it as a failure. Histories of independent keys are searched apart.
 * Source    Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with the memory of Lowe, "Testing for
 *           Linearizability" (2017).
 */

/** The specification that calls must meet: their effects and answers, one after the other. */
export interface SequentialModel<State, Input, Output> {
  /** The state before any call. */
  readonly initial: State
  /**
   * Does one call.
   *
   * @param output - its answer; undefined if nobody knows it, and then any would do
   * @returns the state after it, or null if it could not have answered that; the state that it is given stays as it is
   */
  step(state: State, input: Input, output: Output | undefined): State | null
  /** A text that two states share only if they are equal. */
  keyOf(state: State): string
}

/** One call. Times are of one clock, and in any unit. */
export interface HistoryCall<Input, Output> {
  /** The object it is about; calls of different keys are independent. All calls share one if absent. */
  readonly key?: string
  /** The arguments of the call. */
  readonly input: Input
  /** When. */
  readonly calledAt: number
  /** Null if its outcome is not known. */
  readonly returned: { readonly at: number; readonly output: Output } | null
}

/** The result of a search. */
export type HistoryVerdict =
  | { readonly verdict: 'linearizable' }
  /** `key` is the one whose calls have no order; `reached` of them could be ordered at best. */
  | { readonly verdict: 'not-linearizable'; readonly key: string; readonly reached: number }
  | { readonly verdict: 'unknown'; readonly key: string; readonly steps: number }

/** Options of {@link checkHistory}. */
export interface HistoryOptions {
  /** How many steps of the model are tried for one key before the search is given up; a million by default. */
  readonly stepsMax?: number
}

const STEPS_MAX = 1_000_000
const WORD_BITS = 32

/**
 * Looks for an order of calls.
 *
 * @param model - the specification of each key's calls
 * @param calls - in any order
 * @returns the verdict; `unknown` if the search was given up
 */
export function checkHistory<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  calls: readonly HistoryCall<Input, Output>[],
  { stepsMax = STEPS_MAX }: HistoryOptions = {},
): HistoryVerdict {
  const byKey = new Map<string, HistoryCall<Input, Output>[]>()
  for (const call of calls) {
    const key = call.key ?? ''
    const known = byKey.get(key)
    if (known === undefined) byKey.set(key, [call])
    else known.push(call)
  }
  for (const [key, own] of byKey) {
    const found = new LinearizationSearch(model, own).run(stepsMax)
    if (found.verdict === 'unknown') return { ...found, key }
    if (found.verdict === 'not-linearizable') return { ...found, key }
  }
  return { verdict: 'linearizable' }
}

/** Where the list begins. */
interface Head<Input, Output> {
  next: Entry<Input, Output> | null
}

/** The call or the return of a call, in a list by time from which those that are ordered are taken out. */
interface Entry<Input, Output> extends Head<Input, Output> {
  readonly index: number
  readonly call: HistoryCall<Input, Output>
  /** Of a call: its return, null if nobody knows it. Of a return: null. */
  match: Entry<Input, Output> | null
  readonly isReturn: boolean
  previous: Head<Input, Output> | null
}

type Found =
  | { readonly verdict: 'linearizable' }
  | { readonly verdict: 'not-linearizable'; readonly reached: number }
  | { readonly verdict: 'unknown'; readonly steps: number }

class LinearizationSearch<State, Input, Output> {
  readonly #model: SequentialModel<State, Input, Output>
  readonly #head: Head<Input, Output>
  /** One bit a call: whether it stands in the order that is being tried. */
  readonly #ordered: Uint32Array
  readonly #seen = new Set<string>()
  readonly #stack: { readonly entry: Entry<Input, Output>; readonly state: State }[] = []
  /** Calls in the list whose return is known: they must all be ordered. */
  #owed = 0

  constructor(model: SequentialModel<State, Input, Output>, calls: readonly HistoryCall<Input, Output>[]) {
    this.#model = model
    this.#ordered = new Uint32Array(Math.ceil(calls.length / WORD_BITS))
    this.#head = this.#link(calls)
  }

  run(stepsMax: number): Found {
    let state = this.#model.initial
    let entry = this.#head.next
    let reached = 0
    for (let steps = 0; ; ) {
      if (this.#owed === 0) return { verdict: 'linearizable' }
      if (entry !== null && !entry.isReturn) {
        steps += 1
        if (steps > stepsMax) return { verdict: 'unknown', steps: stepsMax }
        const next = this.#model.step(state, entry.call.input, entry.call.returned?.output)
        if (next !== null && this.#take(entry, next)) {
          this.#stack.push({ entry, state })
          reached = Math.max(reached, this.#stack.length)
          state = next
          entry = this.#head.next
        } else entry = entry.next
        continue
      }
      // A call returned that could not be ordered before: one of those chosen earlier has to come later.
      const last = this.#stack.pop()
      if (last === undefined) return { verdict: 'not-linearizable', reached }
      state = last.state
      this.#putBack(last.entry)
      entry = last.entry.next
    }
  }

  /** Orders a call next; false if the same calls led to the same state before. */
  #take(entry: Entry<Input, Output>, next: State): boolean {
    this.#flip(entry.index)
    const configuration = `${this.#ordered.join()} ${this.#model.keyOf(next)}`
    if (this.#seen.has(configuration)) {
      this.#flip(entry.index)
      return false
    }
    this.#seen.add(configuration)
    unlink(entry)
    if (entry.match !== null) {
      unlink(entry.match)
      this.#owed -= 1
    }
    return true
  }

  #putBack(entry: Entry<Input, Output>): void {
    this.#flip(entry.index)
    // In the reverse order of the taking out, so that neighbours are right again.
    if (entry.match !== null) {
      relink(entry.match)
      this.#owed += 1
    }
    relink(entry)
  }

  #flip(index: number): void {
    const word = Math.floor(index / WORD_BITS)
    this.#ordered[word] = (this.#ordered[word] ?? 0) ^ (1 << (index % WORD_BITS))
  }

  #link(calls: readonly HistoryCall<Input, Output>[]): Head<Input, Output> {
    const entries: { readonly at: number; readonly entry: Entry<Input, Output> }[] = []
    for (const [index, call] of calls.entries()) {
      const begin: Entry<Input, Output> = { index, call, match: null, isReturn: false, previous: null, next: null }
      entries.push({ at: call.calledAt, entry: begin })
      if (call.returned === null) continue
      begin.match = { index, call, match: null, isReturn: true, previous: null, next: null }
      entries.push({ at: call.returned.at, entry: begin.match })
      this.#owed += 1
    }
    // At one instant calls come before returns: calls that may have been concurrent count as such.
    entries.sort((a, b) => a.at - b.at || Number(a.entry.isReturn) - Number(b.entry.isReturn))
    const head: Head<Input, Output> = { next: null }
    let last: Head<Input, Output> = head
    for (const { entry } of entries) {
      last.next = entry
      entry.previous = last
      last = entry
    }
    return head
  }
}

function unlink<Input, Output>(entry: Entry<Input, Output>): void {
  if (entry.previous !== null) entry.previous.next = entry.next
  if (entry.next !== null) entry.next.previous = entry.previous
}

function relink<Input, Output>(entry: Entry<Input, Output>): void {
  if (entry.previous !== null) entry.previous.next = entry
  if (entry.next !== null) entry.next.previous = entry
}
