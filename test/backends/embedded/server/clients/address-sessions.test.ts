import { describe, expect, it } from 'vitest'
import { AddressSessions } from '../../../../../src/backends/embedded/server/clients/address-sessions.ts'

describe('sessions of an address', () => {
  it('are as many as the limit, and those of other addresses are their own', () => {
    const sessions = new AddressSessions(2, () => true)
    sessions.begun('10.0.0.1', 1n)
    expect(sessions.hasRoom('10.0.0.1')).toBe(true)
    sessions.begun('10.0.0.1', 2n)
    expect([sessions.hasRoom('10.0.0.1'), sessions.hasRoom('10.0.0.2')]).toEqual([false, true])
    sessions.ended(1n)
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
  })

  it('count no more when their end was not seen here', () => {
    const open = new Set([1n, 2n])
    const sessions = new AddressSessions(2, (id) => open.has(id))
    for (const id of open) sessions.begun('10.0.0.1', id)
    expect(sessions.hasRoom('10.0.0.1')).toBe(false)
    open.delete(1n)
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
    sessions.clear()
    expect(sessions.countOf('10.0.0.1')).toBe(0)
  })

  it('have no limit if that is 0, nor those of this process', () => {
    const [none, one] = [new AddressSessions(0, () => true), new AddressSessions(1, () => true)]
    for (const sessions of [none, one]) for (const id of [1n, 2n]) sessions.begun('', id)
    none.begun('10.0.0.1', 3n)
    expect([none.hasRoom('10.0.0.1'), one.hasRoom(''), none.countOf('10.0.0.1')]).toEqual([true, true, 0])
  })
})
