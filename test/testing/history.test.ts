import { describe, expect, it } from 'vitest'
import { checkHistory } from '../../src/testing/history.ts'
import type { HistoryCall, SequentialModel } from '../../src/testing/history.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'

type Input = { readonly type: 'write'; readonly value: number } | { readonly type: 'read' }
type Call = HistoryCall<Input, number>

const REGISTER: SequentialModel<number, Input, number> = {
  initial: 0,
  step: (state, input, output) => {
    if (input.type === 'write') return input.value
    return output === undefined || output === state ? state : null
  },
  keyOf: String,
}

function write(value: number, calledAt: number, returnedAt: number | null, key?: string): Call {
  const returned = returnedAt === null ? null : { at: returnedAt, output: value }
  return { ...(key === undefined ? {} : { key }), input: { type: 'write', value }, calledAt, returned }
}

function read(output: number, calledAt: number, returnedAt: number, key?: string): Call {
  const returned = { at: returnedAt, output }
  return { ...(key === undefined ? {} : { key }), input: { type: 'read' }, calledAt, returned }
}

/**
 * Calls that take effect somewhere between their begin and end, in the order of drawn instants; some outcomes are lost.
 */
function drawHistory(
  random: SeededRandom,
  { calls, clients, lost }: { calls: number; clients: number; lost: number },
): Call[] {
  const drawn: { call: Call; effectAt: number }[] = []
  const freeAt = Array.from({ length: clients }, () => random.unit())
  for (let i = 1; i <= calls; i++) {
    const client = random.between(0, clients - 1)
    const calledAt = freeAt[client] ?? 0
    const effectAt = calledAt + random.unit()
    const returnedAt = effectAt + random.unit()
    freeAt[client] = returnedAt + random.unit() / 10
    const call = random.chance(0.5) ? write(i, calledAt, returnedAt) : read(0, calledAt, returnedAt)
    drawn.push({ call, effectAt })
  }
  let state = 0
  const ordered = drawn.sort((a, b) => a.effectAt - b.effectAt)
  return ordered.flatMap(({ call }): Call[] => {
    if (call.input.type === 'read') return [{ ...call, returned: { at: call.returned?.at ?? 0, output: state } }]
    if (!random.chance(lost)) {
      state = call.input.value
      return [call]
    }
    if (random.chance(0.5)) state = call.input.value
    return [{ ...call, returned: null }]
  })
}

/** Makes a read answer what was overwritten before it was called: no order can excuse that. */
function withStaleRead(history: readonly Call[]): Call[] | null {
  const writes = history.filter(({ input, returned }) => input.type === 'write' && returned !== null)
  for (const [index, call] of history.entries()) {
    if (call.input.type !== 'read' || call.returned === null) continue
    const before = writes.filter(({ returned }) => (returned?.at ?? Infinity) < call.calledAt)
    const old = before.find((a) => before.some((b) => b.calledAt > (a.returned?.at ?? Infinity)))
    if (old?.input.type !== 'write') continue
    const stale = { ...call, returned: { at: call.returned.at, output: old.input.value } }
    return history.map((other, i) => (i === index ? stale : other))
  }
  return null
}

describe('the search for a linearizable order', () => {
  it('accepts an empty history', () => {
    expect(checkHistory(REGISTER, [])).toEqual({ verdict: 'linearizable' })
  })

  it('accepts a read that overlaps a write, whichever of the two it saw', () => {
    for (const seen of [0, 1]) {
      expect(checkHistory(REGISTER, [write(1, 0, 10), read(seen, 5, 6)]).verdict).toBe('linearizable')
    }
  })

  it('refuses a read of what a finished write had replaced', () => {
    const history = [write(1, 0, 1), read(0, 2, 3)]
    expect(checkHistory(REGISTER, history)).toEqual({ verdict: 'not-linearizable', key: '', reached: 1 })
  })

  it('refuses two reads that see two overlapping writes in an order that cannot be', () => {
    const history = [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12), read(2, 13, 14)]
    expect(checkHistory(REGISTER, history).verdict).toBe('not-linearizable')
  })

  it('lets a call of unknown outcome take effect late, or never, but not before it was made', () => {
    const late = [write(1, 0, null), read(0, 1, 2), read(1, 3, 4)]
    expect(checkHistory(REGISTER, late).verdict).toBe('linearizable')
    expect(checkHistory(REGISTER, [write(1, 0, null), read(0, 1, 2)]).verdict).toBe('linearizable')
    expect(checkHistory(REGISTER, [read(1, 0, 1), write(1, 2, null)]).verdict).toBe('not-linearizable')
  })

  it('lets a call of unknown outcome take effect once only', () => {
    const history = [write(1, 0, null), read(1, 1, 2), write(2, 3, 4), read(1, 5, 6)]
    expect(checkHistory(REGISTER, history).verdict).toBe('not-linearizable')
  })

  it('searches each key apart, and names the one that has no order', () => {
    const good = [write(1, 0, 1, 'a'), read(1, 2, 3, 'a')]
    expect(checkHistory(REGISTER, [...good, read(0, 2, 3, 'b')]).verdict).toBe('linearizable')
    const bad = checkHistory(REGISTER, [...good, read(1, 2, 3, 'b')])
    expect(bad).toMatchObject({ verdict: 'not-linearizable', key: 'b' })
  })

  it('gives no verdict when it may not search long enough', () => {
    const history = Array.from({ length: 20 }, (_, i) => write(i, 0, 100))
    const found = checkHistory(REGISTER, [...history, read(-1, 101, 102)], { stepsMax: 50 })
    expect(found).toMatchObject({ verdict: 'unknown' })
  })

  it('accepts every history that was drawn with an order', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const history = drawHistory(new SeededRandom(seed), { calls: 60, clients: 4, lost: 0.05 })
      expect(checkHistory(REGISTER, history), `seed ${seed}`).toEqual({ verdict: 'linearizable' })
    }
  })

  it('refuses drawn histories in which one read was made stale', () => {
    let made = 0
    for (let seed = 1; seed <= 200; seed++) {
      const history = withStaleRead(drawHistory(new SeededRandom(seed), { calls: 40, clients: 4, lost: 0 }))
      if (history === null) continue
      made += 1
      expect(checkHistory(REGISTER, history).verdict, `seed ${seed}`).toBe('not-linearizable')
    }
    expect(made).toBeGreaterThan(150)
  })

  it('agrees with a search of all orders on small histories', () => {
    const verdicts = new Map<boolean, number>()
    for (let seed = 1; seed <= 400; seed++) {
      const random = new SeededRandom(seed)
      const history = drawHistory(random, { calls: 6, clients: 3, lost: 0.2 }).map((call): Call => {
        if (call.input.type !== 'read' || call.returned === null || random.chance(0.7)) return call
        return { ...call, returned: { at: call.returned.at, output: random.between(0, 6) } }
      })
      const expected = hasOrder(history, 0)
      verdicts.set(expected, (verdicts.get(expected) ?? 0) + 1)
      expect(checkHistory(REGISTER, history).verdict === 'linearizable', `seed ${seed}`).toBe(expected)
    }
    expect(verdicts.get(true)).toBeGreaterThan(50)
    expect(verdicts.get(false)).toBeGreaterThan(50)
  })
})

/**
 * The definition, word for word: some call that nothing known precedes goes first, and the rest has an order after it.
 */
function hasOrder(history: readonly Call[], state: number): boolean {
  if (history.every(({ returned }) => returned === null)) return true
  return history.some((call, i) => {
    const rest = history.filter((_, j) => j !== i)
    if (rest.some(({ returned }) => returned !== null && returned.at < call.calledAt)) return false
    const next = REGISTER.step(state, call.input, call.returned?.output)
    return next !== null && hasOrder(rest, next)
  })
}
