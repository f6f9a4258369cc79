/**
 * Registers: texts that clients write, each once, and read after a sync.
 *
 * C1, C4   from outside: the calls of each register have an order that real time allows, in which each read answers the
 *          text that was written last.
 *
 * Unknown  a search for that order grows fast with calls that may have happened at any time, or never. As each text is
 *          written once, none need be: a write whose text somebody has read did happen, before the first such read
 *          returned; one that nobody has read explains nothing, and neither does a read without an answer. So the
 *          search is over calls with an end, and has the same verdict.
 */
import { checkHistory } from '../../src/testing/history.ts'
import type { HistoryCall, SequentialModel } from '../../src/testing/history.ts'
import type { Kernel } from '../../src/testing/simulation/kernel.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'

/** A call at a register. */
export type RegisterInput = { readonly type: 'write'; readonly value: string } | { readonly type: 'read' }

type RegisterCall = HistoryCall<RegisterInput, string>

/** A register of texts: a read answers the text that was written last. */
const REGISTER: SequentialModel<string, RegisterInput, string> = {
  initial: '',
  step: (state, input, output) => {
    if (input.type === 'write') return input.value
    return output === undefined || output === state ? state : null
  },
  keyOf: (state) => state,
}

interface NotedCall {
  call: RegisterCall
  /** It changed nothing and told nothing. */
  isVoid: boolean
}

export class RegistersCheck implements Check {
  readonly name = 'raw-registers'
  readonly covers = ['C1', 'C4']
  readonly #kernel: Pick<Kernel, 'nowMs'>
  readonly #calls = new Map<string, NotedCall[]>()

  /**
   * Makes the check of some registers.
   *
   * @param kernel - its clock is the one by which calls come before others
   */
  constructor(kernel: Pick<Kernel, 'nowMs'>) {
    this.#kernel = kernel
  }

  /**
   * Notes that a call is made. No two writes have the same value.
   *
   * @returns a function that takes what it answered; null if it changed and told nothing
   */
  call(key: string, input: RegisterInput): (output: string | null) => void {
    const entry: NotedCall = { call: { key, input, calledAt: this.#kernel.nowMs, returned: null }, isVoid: false }
    const calls = this.#calls.get(key)
    if (calls === undefined) this.#calls.set(key, [entry])
    else calls.push(entry)
    return (output) => {
      if (output === null) entry.isVoid = true
      else entry.call = { ...entry.call, returned: { at: this.#kernel.nowMs, output } }
    }
  }

  atEnd(): void {
    for (const [key, entries] of this.#calls) {
      const calls = ended(entries.filter(({ isVoid }) => !isVoid).map(({ call }) => call))
      const found = checkHistory(REGISTER, calls)
      if (found.verdict !== 'linearizable') {
        throw new Violation(this.name, `C4: the ${calls.length} calls of ${key} are ${found.verdict}`)
      }
    }
  }
}

/** The calls that an order can be wrong about, each with an end. */
function ended(calls: readonly RegisterCall[]): RegisterCall[] {
  const firstReads = new Map<string, number>()
  for (const { input, returned } of calls) {
    if (input.type !== 'read' || returned === null) continue
    firstReads.set(returned.output, Math.min(returned.at, firstReads.get(returned.output) ?? Infinity))
  }
  return calls.flatMap((call) => {
    const { input, calledAt, returned } = call
    if (returned !== null) return [call]
    if (input.type === 'read') return []
    const readAt = firstReads.get(input.value)
    // A read that returned before the write was made cannot be explained by it, and says so itself.
    return readAt === undefined ? [] : [{ ...call, returned: { at: Math.max(calledAt, readAt), output: input.value } }]
  })
}
