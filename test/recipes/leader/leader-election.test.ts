/** Elections: who leads, what is left behind, over every fault at every request. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { pendingCleanups } from '../../../src/recipes/engine/cleanups.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { LeaderElection } from '../../../src/recipes/leader/leader-election.ts'
import type { LeaderChange } from '../../../src/recipes/leader/leader-election.ts'
import type { Leadership } from '../../../src/recipes/leader/leadership.ts'
import {
  ROUND_TRIP_MS,
  SESSION_TIMEOUT_MS,
  closeAll,
  codeOf,
  ephemerals,
  failureOf,
  interrupt,
  newRig,
  nodesUnder,
} from '../rig.ts'
import { pass, run, sessionOf, stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const PATH = '/elections/cron'
const NOTE = `${PATH}-leader`
const REQUESTS_MAX = 12

type Words = LeaderElection<string>

function election(client: Client, id: string, data?: string): Words {
  return new LeaderElection<string>(client, PATH, data === undefined ? { id } : { id, data })
}

/** A campaign that may end with its client. */
function campaignOf(client: Client, id: string, data?: string): Promise<Leadership<string>> {
  const campaign = election(client, id, data).campaign()
  campaign.catch(() => undefined)
  return campaign
}

/** Lets everything settle. */
function settle(): Promise<void> {
  return pass(20 * ROUND_TRIP_MS)
}

it('elects candidates one after the other, in the order in which they stood, with growing tokens', async () => {
  const rig = newRig()
  const ids = ['a', 'b', 'c', 'd']
  const clients: Client[] = []
  const campaigns: Promise<Leadership<string>>[] = []
  for (const id of ids) {
    const client = await rig.connect()
    clients.push(client)
    campaigns.push(election(client, id).campaign())
    await settle()
  }
  const led: [string, bigint][] = []
  for (const campaign of campaigns) {
    const leadership = await run(campaign)
    led.push([leadership.id, leadership.token])
    expect(leadership.state).toBe('held')
    await run(leadership.resign())
    expect([leadership.state, leadership.signal.aborted]).toEqual(['released', false])
  }
  expect(led.map(([id]) => id)).toEqual(ids)
  expect(led.map(([, token]) => token)).toEqual(led.map(([, token]) => token).sort((a, b) => Number(a - b)))
  expect(await closeAll(rig, ...clients)).toEqual([])
  expect(rig.errors).toEqual([])
})

it('names its candidates as LeaderLatch does, with the id as their data', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(election(client, 'worker-7', 'hello').campaign())
  const [path = ''] = nodesUnder(rig, PATH)
  expect(path).toMatch(/^\/elections\/cron\/_c_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-latch-0000000000$/)
  expect(new TextDecoder().decode((await run(client.get(path))).data)).toBe('worker-7')
  expect(await closeAll(rig, client)).toEqual([])
})

it('stands by a LeaderLatch of Curator that came before, and is told its id', async () => {
  const rig = newRig()
  const [curator, client] = [await rig.connect(), await rig.connect()]
  await run(curator.makePath(PATH))
  const latch = `${PATH}/_c_11111111-2222-4333-8444-555555555555-latch-`
  const { path } = await run(curator.create(latch, 'curator', { mode: 'ephemeral-sequential' }))
  const own = election(client, 'ours')
  const campaign = own.campaign()
  await settle()
  expect(await stateOf(campaign)).toBe('pending')
  expect((await run(own.leader()))?.id).toBe('curator')
  const candidates = await run(own.candidates())
  expect(candidates.map(({ id, leads }) => [id, leads])).toEqual([['curator', true], ['ours', false]])
  await run(curator.delete(path))
  expect((await run(campaign)).id).toBe('ours')
  expect(await closeAll(rig, curator, client)).toEqual([])
})

it('writes nothing to the node of a candidate, whose watchers would take that for its end', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const leadership = await run(election(a, 'a').campaign())
  void campaignOf(b, 'b')
  await settle()
  rig.control.resetCounts()
  await run(leadership.proclaim('one'))
  await run(leadership.proclaim('two'))
  expect(rig.control.eventCount(sessionOf(b))).toBe(0)
  expect((await run(a.get(leadership.path))).stat.version).toBe(0)
  await run(leadership.transferTo('b'))
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('takes two round trips when nobody leads, and wakes exactly one when a leader resigns', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run((await run(election(client, 'x').campaign())).resign())
  const startMs = performance.now()
  const leadership = await run(election(client, 'x').campaign())
  expect(performance.now() - startMs).toBe(2 * ROUND_TRIP_MS)
  const others = await Promise.all([1, 2, 3, 4].map(() => rig.connect()))
  for (const other of others) {
    void campaignOf(other, 'y')
    await settle()
  }
  rig.control.resetCounts()
  await run(leadership.resign())
  await settle()
  expect(others.map((other) => rig.control.eventCount(sessionOf(other)))).toEqual([1, 0, 0, 0])
  expect(await closeAll(rig, client, ...others)).toEqual([])
})

it('takes three round trips to proclaim, and four more to resign after that', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const leadership = await run(election(client, 'a').campaign())
  const startMs = performance.now()
  await run(leadership.proclaim('here'))
  expect(performance.now() - startMs).toBe(3 * ROUND_TRIP_MS)
  await run(leadership.resign())
  expect(performance.now() - startMs).toBe(8 * ROUND_TRIP_MS)
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives what a leader proclaims to those who ask and those who watch, and to nobody after it', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const told: (readonly [string, string | undefined])[] = []
  const watching = election(b, 'b')
  watching.subscribe(({ leader }) => void told.push([leader?.id ?? 'nobody', leader?.data]))
  const first = await run(election(a, 'a', 'at a').campaign())
  expect((await run(watching.leader()))?.data).toBe('at a')
  await settle()
  await run(first.proclaim('moved'))
  expect(await run(watching.leader())).toMatchObject({ id: 'a', token: first.token, data: 'moved' })
  const next = watching.campaign()
  await settle()
  await run(first.resign())
  expect(rig.control.nodes().map(({ path }) => path)).not.toContain(NOTE)
  await run(next)
  expect(await run(watching.leader())).toMatchObject({ id: 'b', data: undefined })
  await settle()
  const changes = told.filter((change, index) => String(change) !== String(told[index - 1]))
  expect(changes.filter(([id]) => id !== 'nobody').at(-1)).toEqual(['b', undefined])
  expect(changes).toContainEqual(['a', 'moved'])
  expect(changes.filter(([id, data]) => id === 'b' && data !== undefined)).toEqual([])
  await run(watching.close())
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('refuses what a leader proclaims that leads no longer, also if it does not know yet', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const leadership = await run(election(a, 'a').campaign())
  const next = election(b, 'b', 'mine').campaign()
  await settle()
  await run(b.delete(leadership.path))
  const late = leadership.proclaim('stale')
  expect(codeOf(await failureOf(late))).toBe('LEASE_LOST/lost')
  await run(next)
  await settle()
  expect((await run(election(b, 'b').leader()))?.data).toBe('mine')
  await run(leadership.resign())
  expect([leadership.state, lossReason(leadership.signal)]).toEqual(['lost', 'node-deleted'])
  expect((await run(election(b, 'b').leader()))?.data).toBe('mine')
  expect(codeOf(await failureOf(leadership.transferTo('b')))).toBe('LEASE_LOST/lost')
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('hands over to the candidate that was named, and the others keep their order after it', async () => {
  const rig = newRig()
  const ids = ['a', 'b', 'c', 'd', 'e']
  const clients: Client[] = []
  const led: string[] = []
  const campaigns = new Map<string, Promise<Leadership<string>>>()
  for (const id of ids) {
    const client = await rig.connect()
    clients.push(client)
    const campaign = campaignOf(client, id, `at ${id}`)
    campaigns.set(id, campaign)
    void campaign.then(() => led.push(id), () => undefined)
    await settle()
  }
  const first = await run(campaigns.get('a') as Promise<Leadership<string>>)
  expect(await run(first.transferTo('d'))).toBe(true)
  const chosen = await run(campaigns.get('d') as Promise<Leadership<string>>)
  await settle()
  expect([led, first.state]).toEqual([['a', 'd'], 'released'])
  expect((await run(election(clients[0] as Client, 'x').leader()))?.data).toBe('at d')
  for (let round = 0; round < 3; round += 1) {
    const holder = round === 0 ? chosen : await run(campaigns.get(led.at(-1) ?? '') as Promise<Leadership<string>>)
    await run(holder.resign())
    await settle()
  }
  expect(led.slice(0, 3)).toEqual(['a', 'd', 'e'])
  expect(new Set(led)).toEqual(new Set(['a', 'd', 'e', 'b', 'c']))
  expect(await closeAll(rig, ...clients)).toEqual([])
})

it('leads on when there is no such candidate, and tells when the chosen one goes before it leads', async () => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const first = await run(election(a, 'a').campaign())
  expect(codeOf(await failureOf(first.transferTo('b')))).toBe('NO_NODE/rejected')
  expect(codeOf(await failureOf(first.transferTo('a')))).toBe('NO_NODE/rejected')
  expect(first.state).toBe('held')
  const second = campaignOf(b, 'b')
  await settle()
  void campaignOf(c, 'c')
  await settle()
  // The chosen one is gone before the next one looks.
  const transferring = first.transferTo('c')
  while (!rig.control.nodes().some(({ path }) => path === NOTE)) await pass(1)
  rig.control.expire(sessionOf(c))
  await run(second)
  expect(await run(transferring)).toBe(false)
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it('does the work of a leader until its signal ends that, and resigns when the work has settled', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const log: string[] = []
  const [stopA, stopB] = [new AbortController(), new AbortController()]
  const work = (name: string, rounds: number) => {
    let done = 0
    return async (leadership: Leadership<string>, signal: AbortSignal): Promise<void> => {
      log.push(`${name} ${leadership.state}`)
      done += 1
      if (done < rounds) return
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => setTimeout(resolve, 500))
      })
      log.push(`${name} ends ${leadership.state}`)
    }
  }
  const runA = election(a, 'a').run(work('a', 2), { signal: stopA.signal })
  const runB = election(b, 'b').run(work('b', 3), { signal: stopB.signal })
  await pass(2_000)
  stopA.abort()
  await pass(250)
  expect(log.filter((line) => line.startsWith('b')).length).toBeLessThanOrEqual(2)
  expect(await stateOf(runA)).toBe('pending')
  await run(runA)
  await pass(1_000)
  stopB.abort()
  await run(runB)
  const ends = log.filter((line) => line.includes('ends'))
  expect(ends).toEqual(['a ends held', 'b ends held'])
  expect(log.at(-1)).toBe('b ends held')
  await settle()
  expect(nodesUnder(rig, PATH)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('ends a run with what its work threw, unless it was told to end, and then reports it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const broken = new Error('the work is broken')
  expect(await failureOf(election(client, 'a').run(() => Promise.reject(broken)))).toBe(broken)
  const stop = new AbortController()
  const running = election(client, 'a').run(async (_, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw broken
  }, { signal: stop.signal })
  await settle()
  stop.abort()
  await run(running)
  expect(rig.errors).toEqual([broken])
  const quiet = election(client, 'a').run(async (_, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    signal.throwIfAborted()
  }, { signal: AbortSignal.abort() })
  await run(quiet)
  expect(rig.errors).toEqual([broken])
  expect(await closeAll(rig, client)).toEqual([])
})

it('tells the work of a lost leadership, waits for its end, and campaigns again on the next session', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const stop = new AbortController()
  const tokens: bigint[] = []
  const running = election(client, 'a').run(async ({ token, signal: lost }, signal) => {
    tokens.push(token)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    if (lost.aborted) throw new Error('the connection of the work broke too')
  }, { signal: stop.signal })
  await settle()
  rig.control.expire(sessionOf(client))
  await settle()
  expect(tokens).toHaveLength(2)
  stop.abort()
  await run(running)
  expect(rig.errors.map(String)).toEqual(['Error: the connection of the work broke too'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('watches over a break of the connection, and says that it read again', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const changes: LeaderChange<string>[] = []
  const watching = election(b, 'b')
  watching.subscribe((change) => void changes.push(change))
  await settle()
  expect(changes.map(({ leader, candidates }) => [leader, candidates.length])).toEqual([[null, 0]])
  rig.control.disconnect(sessionOf(b))
  await run(election(a, 'a').campaign())
  await interrupt(rig, b, 100)
  await settle()
  expect(changes.at(-1)).toMatchObject({ leader: { id: 'a' }, candidates: [{ id: 'a', leads: true, position: 0 }] })
  expect(changes.some(({ resync }) => resync)).toBe(true)
  const stop = new AbortController()
  const iterating = watching.watch({ signal: stop.signal })
  expect((await run(iterating.next())).value).toMatchObject({ leader: { id: 'a' } })
  stop.abort()
  expect(codeOf(await failureOf(iterating.next()))).toBe('ABORTED/aborted')
  await run(watching.close())
  expect(() => watching.watch()).toThrow(/closed/)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('leads over $what at request $nth of a campaign, or says why not', async (struck) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const id = sessionOf(a)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const leadership = await run(election(a, 'a', 'at a').campaign())
  expect(leadership.state).toBe('held')
  expect(await run(election(b, 'b').leader())).toMatchObject({ id: 'a', token: leadership.token, data: 'at a' })
  expect(await run(election(b, 'b').candidates())).toHaveLength(1)
  await run(leadership.resign())
  await settle()
  expect(pendingCleanups(a)).toBe(0)
  expect(ephemerals(rig)).toEqual([])
  expect(await closeAll(rig, a, b)).toEqual([])
})

const DELAYS_MS = [0.4, 0.6, 0.7, 0.9].map((part) => part * SESSION_TIMEOUT_MS)
const DELAYS = Array.from({ length: REQUESTS_MAX }, (_, index) => {
  return DELAYS_MS.map((delayMs) => ({ nth: index + 1, delayMs }))
}).flat()

it.each(DELAYS)('has half a lease when request $nth was answered $delayMs ms late', async ({ nth, delayMs }) => {
  const rig = newRig()
  const client = await rig.connect()
  await run((await run(election(client, 'a', 'at a').campaign())).resign())
  const session = sessionOf(client)
  strike(rig, { delayMs }, ({ sessionId, kind }) => sessionId === session && kind !== 'close', nth)
  const elected = election(client, 'a', 'at a').campaign().then((leadership) => {
    expect(leadership.leaseDeadlineMs - performance.now()).toBeGreaterThan(SESSION_TIMEOUT_MS / 6)
    return leadership
  })
  await run((await run(elected)).resign())
  await pass(delayMs)
  expect(await closeAll(rig, client)).toEqual([])
})

/** At the first two requests, which leave together, nobody stands in line yet. */
const EXPIRIES = sweepOf(REQUESTS_MAX).filter(({ what, nth }) => what.includes('expire') && nth > 2)

it.each(EXPIRIES)('queues again only if it may, after $what at request $nth of a campaign', async (struck) => {
  const rig = newRig()
  const client = await rig.connect()
  await run((await run(election(client, 'a', 'at a').campaign())).resign())
  const id = sessionOf(client)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const campaign = election(client, 'a', 'at a').campaign({ onSessionLoss: 'reject' })
  const outcome = campaign.then((leadership) => ({ leadership, ledOn: client.sessionId }), codeOf)
  const ended = await run(outcome)
  if (typeof ended === 'string') expect(ended).toBe('SESSION_EXPIRED/session-over')
  else {
    expect(ended.ledOn).toBe(id)
    await run(ended.leadership.resign())
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('proclaims and resigns over $what at request $nth', async (struck) => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const leadership = await run(election(a, 'a', 'at a').campaign())
  const next = campaignOf(b, 'b')
  await settle()
  const id = sessionOf(a)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const code = await run(leadership.proclaim('news').then(() => 'done', codeOf))
  expect(['done', 'LEASE_LOST/lost']).toContain(code)
  if (code === 'done' && leadership.state === 'held') {
    expect((await run(election(b, 'b').leader()))?.data).toBe('news')
  }
  await run(leadership.resign())
  const after = await run(next)
  await pass(2 * SESSION_TIMEOUT_MS)
  expect(ephemerals(rig)).toEqual([after.path])
  expect(pendingCleanups(a)).toBe(0)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it.each(sweepOf(REQUESTS_MAX))('hands over over $what at request $nth, or leads on, or is lost', async (struck) => {
  const rig = newRig()
  const [a, b, c] = [await rig.connect(), await rig.connect(), await rig.connect()]
  const leadership = await run(election(a, 'a').campaign())
  void campaignOf(b, 'b')
  await settle()
  const chosen = campaignOf(c, 'c')
  await settle()
  const id = sessionOf(a)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const outcome = await run(leadership.transferTo('c').then(String, codeOf))
  expect(['true', 'false', 'LEASE_LOST/lost']).toContain(outcome)
  if (outcome === 'true') expect((await run(election(a, 'a').leader()))?.id).toBe('c')
  await run(leadership.resign())
  await pass(2 * SESSION_TIMEOUT_MS)
  expect(rig.control.nodes().map(({ path }) => path)).not.toContain(NOTE)
  expect(pendingCleanups(a)).toBe(0)
  expect(ephemerals(rig)).toHaveLength(2)
  if (outcome === 'true') await run(chosen)
  expect(await closeAll(rig, a, b, c)).toEqual([])
})

it('a campaign that is aborted at any moment leaves nothing behind', async () => {
  for (let afterMs = 0; afterMs <= 10 * ROUND_TRIP_MS; afterMs += 5) {
    const rig = newRig()
    const client = await rig.connect()
    const stop = new AbortController()
    const outcome = election(client, 'a', 'at a').campaign({ signal: stop.signal }).then((led) => led.resign(), codeOf)
    await pass(afterMs)
    stop.abort()
    await run(outcome)
    await settle()
    expect(ephemerals(rig)).toEqual([])
    expect(pendingCleanups(client)).toBe(0)
    expect(await closeAll(rig, client)).toEqual([])
  }
})
