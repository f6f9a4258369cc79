/** Turns of TLS hand-shakes whose addresses have failed. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limitOf } from '../../../../../src/backends/embedded/host/limits.ts'
import { HandshakeTurns } from '../../../../../src/backends/embedded/host/tls/handshake-turns.ts'
import type { Handshake } from '../../../../../src/backends/embedded/host/tls/handshake-turns.ts'

const FREE = 10
const TURN_MS = 1_000 / limitOf('handshakesPerSecond')
const WAITING_MAX = limitOf('handshakesWaiting')
const IN_ALL_MAX = limitOf('handshakesWaitingInAll')
const FORGET_MS = 600_000

let turns: HandshakeTurns
let begun: string[]
let givenUp: string[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
  turns = new HandshakeTurns()
  begun = []
  givenUp = []
})
afterEach(() => {
  expect(vi.getTimerCount()).toBe(turns.waitingCount === 0 ? 0 : 1)
  vi.useRealTimers()
})

function handshake(address: string, name = address): Handshake {
  return { address, begin: () => void begun.push(name), giveUp: () => void givenUp.push(name) }
}

function fail(address: string, times = FREE): void {
  for (let i = 0; i < times; i++) turns.failed(address)
}

describe('hand-shakes of an address', () => {
  it('wait when several of it have failed, and until that is some minutes ago; others do not', () => {
    fail('10.0.0.1', FREE - 1)
    expect(turns.mustWait('10.0.0.1')).toBe(false)
    fail('10.0.0.1', 1)
    expect([turns.mustWait('10.0.0.1'), turns.mustWait('10.0.0.2')]).toEqual([true, false])
    vi.advanceTimersByTime(FORGET_MS + 1)
    expect(turns.mustWait('10.0.0.1')).toBe(false)
    fail('2001:db8::1')
    expect([turns.mustWait('2001:db8::2'), turns.mustWait('2001:db8:0:1::1')]).toEqual([true, false])
  })

  it('begin one per turn, each at last', () => {
    for (let i = 0; i < 5; i++) turns.add(handshake('10.0.0.1', `${i}`))
    expect([begun, turns.slowedCount]).toEqual([[], 5])
    vi.advanceTimersByTime(TURN_MS)
    expect(begun).toHaveLength(1)
    vi.advanceTimersByTime(4 * TURN_MS)
    expect(begun.sort()).toEqual(['0', '1', '2', '3', '4'])
    expect([givenUp, turns.waitingCount]).toEqual([[], 0])
  })

  it('that come in a flood leave the others of their address a share of its turns, and no more than those wait', () => {
    let isIn = false
    const good = (): void => {
      turns.add({ address: '10.0.0.1', begin: () => (isIn = true), giveUp: good })
    }
    good()
    const startMs = performance.now()
    // Ten times as many as begin; a client that is sent away comes again at once.
    while (!isIn && performance.now() - startMs < 60_000) {
      for (let i = 0; i < 10; i++) turns.add(handshake('10.0.0.1'))
      expect(turns.waitingCount).toBeLessThanOrEqual(WAITING_MAX)
      vi.advanceTimersByTime(TURN_MS)
    }
    expect(isIn).toBe(true)
    const elapsedMs = performance.now() - startMs
    expect(begun.length).toBeLessThanOrEqual(elapsedMs / TURN_MS)
    vi.advanceTimersByTime((WAITING_MAX + 1) * TURN_MS)
    expect(turns.waitingCount).toBe(0)
  })

  it('of many addresses are limited together, and those of an address that has few of them wait on', () => {
    turns.add(handshake('10.9.0.1', 'few'))
    let address = 0
    while (turns.waitingCount < IN_ALL_MAX) {
      for (let i = 0; i < WAITING_MAX && turns.waitingCount < IN_ALL_MAX; i++) turns.add(handshake(`10.0.0.${address}`))
      address += 1
    }
    for (let i = 0; i < 50; i++) turns.add(handshake('10.1.0.1', 'more'))
    expect(turns.waitingCount).toBe(IN_ALL_MAX)
    expect(givenUp).toHaveLength(50)
    expect(givenUp.filter((name) => !name.startsWith('10.0.0.'))).toEqual([])
    // Some addresses have a turn at a time, one after the other.
    vi.advanceTimersByTime(TURN_MS)
    expect(begun).toHaveLength(4)
    expect(new Set(begun).size).toBe(4)
    vi.advanceTimersByTime(IN_ALL_MAX * TURN_MS)
    expect(begun).toHaveLength(IN_ALL_MAX)
    expect(begun.filter((name) => name === 'few')).toHaveLength(1)
  })

  it('whose connections have ended are not begun', () => {
    const [one, other] = [handshake('10.0.0.1', 'one'), handshake('10.0.0.1', 'other')]
    for (const each of [one, other]) turns.add(each)
    turns.remove(one)
    turns.remove(one)
    vi.advanceTimersByTime(10 * TURN_MS)
    expect(begun).toEqual(['other'])
    turns.remove(other)
    expect(turns.waitingCount).toBe(0)
  })
})
