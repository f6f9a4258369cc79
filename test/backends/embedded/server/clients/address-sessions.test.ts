import { describe, expect, it } from 'vitest'
import { AddressSessions } from '../../../../../src/backends/embedded/server/clients/address-sessions.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { Cluster } from '../cluster.ts'
import type { TestConnection } from '../test-connection.ts'

describe('sessions of an address', () => {
  it('are as many as the limit, and those of other addresses are their own', () => {
    const sessions = new AddressSessions(2, () => true)
    sessions.begun('10.0.0.1', 1n, false)
    expect(sessions.hasRoom('10.0.0.1')).toBe(true)
    sessions.begun('10.0.0.1', 2n, false)
    expect([sessions.hasRoom('10.0.0.1'), sessions.hasRoom('10.0.0.2')]).toEqual([false, true])
    sessions.ended(1n)
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
  })

  it('of IPv6 are those of its network, and of IPv4 inside IPv6 those of IPv4', () => {
    const sessions = new AddressSessions(2, () => true)
    sessions.begun('2001:db8::1', 1n, false)
    sessions.begun('2001:db8:0:0:ffff::2', 2n, false)
    expect([sessions.hasRoom('2001:db8::3'), sessions.hasRoom('2001:db8:0:1::1')]).toEqual([false, true])
    sessions.begun('10.0.0.1', 3n, false)
    sessions.begun('::ffff:10.0.0.1', 4n, false)
    expect([sessions.hasRoom('10.0.0.1'), sessions.hasRoom('::ffff:10.0.0.2')]).toEqual([false, true])
  })

  it('count no more when their end was not seen here', () => {
    const open = new Set([1n, 2n])
    const sessions = new AddressSessions(2, (id) => open.has(id))
    for (const id of open) sessions.begun('10.0.0.1', id, false)
    expect(sessions.hasRoom('10.0.0.1')).toBe(false)
    open.delete(1n)
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
  })

  it('count while their transactions are under way, and then if there are those sessions', () => {
    const open = new Set<bigint>()
    const sessions = new AddressSessions(2, (id) => open.has(id))
    for (const id of [1n, 2n]) sessions.begun('10.0.0.1', id, true)
    expect(sessions.hasRoom('10.0.0.1')).toBe(false)
    sessions.decided(1n)
    expect(sessions.countOf('10.0.0.1')).toBe(2)
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
    sessions.begun('10.0.0.1', 3n, true)
    open.add(3n)
    sessions.stopped()
    expect([sessions.hasRoom('10.0.0.1'), sessions.countOf('10.0.0.1')]).toEqual([true, 1])
    open.delete(3n)
    sessions.upgraded(3n)
    sessions.begun('10.0.0.1', 4n, true)
    expect(sessions.hasRoom('10.0.0.1')).toBe(false)
  })

  it('that are over are found by and by, whatever their addresses', () => {
    const open = new Set<bigint>()
    const sessions = new AddressSessions(1_000, (id) => open.has(id))
    for (let id = 0n; id < 1_000n; id++) {
      open.add(id)
      sessions.begun(`10.0.${id >> 8n}.${id & 255n}`, id, false)
    }
    expect(sessions.size).toBe(1_000)
    open.clear()
    for (let id = 1_000n; id < 2_000n; id++) {
      open.add(id)
      sessions.begun('10.1.0.1', id, false)
    }
    expect(sessions.size).toBe(1_000)
    expect([sessions.countOf('10.0.0.1'), sessions.countOf('10.1.0.1')]).toEqual([0, 1_000])
  })

  it('have no limit if that is 0, nor those of this process', () => {
    const [none, one] = [new AddressSessions(0, () => true), new AddressSessions(1, () => true)]
    for (const sessions of [none, one]) for (const id of [1n, 2n]) sessions.begun('', id, false)
    none.begun('10.0.0.1', 3n, false)
    expect([none.hasRoom('10.0.0.1'), one.hasRoom(''), none.countOf('10.0.0.1')]).toEqual([true, true, 0])
  })
})

describe('a server', () => {
  const VOTERS = [1, 2, 3]
  const TIMEOUT_MS = 1_000
  const LIMIT = 2

  const asks = (cluster: Cluster, server: number): TestConnection => {
    return cluster.connect(server, {}, 0n, TIMEOUT_MS, '10.0.0.1')
  }
  const started = (): Cluster => {
    const cluster = new Cluster(VOTERS, { sessionsPerAddress: LIMIT })
    cluster.startAll(VOTERS)
    return cluster
  }
  const refusals = ({ events }: Cluster): number => {
    return events.filter(({ event }) => event.type === 'session-refused').length
  }
  const openIn = (cluster: Cluster): number => cluster.server(3).inspect().sessions.length

  it.each([1, 3])('counts the sessions of clients that leave before they have them (server %i)', (id) => {
    const cluster = started()
    for (let i = 0; i < 5; i++) cluster.hangUp(asks(cluster, id))
    cluster.run()
    expect([refusals(cluster), openIn(cluster)]).toEqual([3, LIMIT])
  })

  it('goes on counting when its role has changed', () => {
    const cluster = started()
    const first = asks(cluster, 2)
    asks(cluster, 2)
    cluster.run()
    cluster.crash(3)
    cluster.tickUntil(() => cluster.leader() === 2)
    cluster.run()
    expect(asks(cluster, 2).closed).toBe(true)
    expect(refusals(cluster)).toBe(1)
    const { sessionId, passwd } = first
    const back = cluster.client(2, { sessionId, passwd })
    expect(back.sessionId).toBe(sessionId)
    cluster.request(back, { op: OpCode.closeSession, body: null })
    cluster.run()
    expect(asks(cluster, 2).closed).toBe(false)
    expect(refusals(cluster)).toBe(1)
  })
})
