/** Transactions: serializable over random histories and faults, and not so without their comparisons. */
import { expect, it } from 'vitest'
import type { Operation } from '../../../src/core/backend.ts'
import type { Client } from '../../../src/core/client.ts'
import { transact } from '../../../src/recipes/transactions/transact.ts'
import type { TransactionView } from '../../../src/recipes/transactions/transaction-view.ts'
import { closeAll, codeOf, failureOf, newRig, pass, run, sessionOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const CLIENTS = 4
const TRANSACTIONS = 8
const SEEDS = 25
const NAMES = ['a', 'b', 'a/x', 'a/y', 'b/x']
const SETTLE_MS = 30_000
const REQUESTS_STRUCK = 8

/** A read or a write, with what was read. */
type Step = readonly ['get' | 'children' | 'put', string, string] | readonly ['delete', string]

interface Ran {
  readonly id: string
  readonly steps: Step[]
  outcome: string
}

const text = (data: Uint8Array | null): string => (data === null ? 'none' : new TextDecoder().decode(data))

/** Numbers of a seed. */
function numbersOf(seed: number): (below: number) => number {
  let state = seed * 7_919 + 1
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

async function randomStep(tx: TransactionView, below: (n: number) => number, value: string): Promise<Step> {
  const path = `/t/${NAMES[below(NAMES.length)] ?? ''}`
  const kind = below(6)
  if (kind < 2) return ['get', path, text(await tx.get(path))]
  const parent = ['/t', '/t/a', '/t/b'][below(3)] ?? ''
  if (kind === 2 && (await tx.exists(parent))) return ['children', parent, (await tx.children(parent)).join()]
  if (kind === 3 && (await tx.exists(path)) && (await tx.children(path)).length === 0) {
    await tx.delete(path)
    return ['delete', path]
  }
  const above = path.slice(0, path.lastIndexOf('/'))
  if (!(await tx.exists(above))) return ['get', above, 'none']
  await tx.put(path, value)
  return ['put', path, value]
}

/** Many random transactions at once; each leaves a node of its own that tells that it was committed, and when. */
async function history(rig: Rig, seed: number, seen: (client: Client) => Client, isFaulty: boolean): Promise<string[]> {
  const clients: Client[] = []
  for (let i = 0; i < CLIENTS; i += 1) clients.push(await rig.connect())
  const [first] = clients as [Client]
  await run(first.makePath('/t').then(() => first.makePath('/log', { mode: 'persistent' })))
  if (isFaulty) {
    const fate = numbersOf(seed + 500)
    const fates = ['lose-before', 'lose-after', { delayMs: 40 }] as const
    rig.control.onRequest(({ kind }) => (kind !== 'close' && fate(25) === 0 ? fates[fate(3)] : undefined))
  }
  const all: Ran[] = []
  const working = clients.map(async (client, index) => {
    const below = numbersOf(seed * 10 + index)
    for (let round = 0; round < TRANSACTIONS; round += 1) {
      const ran: Ran = { id: `${String(index)}-${String(round)}`, steps: [], outcome: 'done' }
      all.push(ran)
      const work = async (tx: TransactionView): Promise<void> => {
        ran.steps.splice(0)
        for (let n = 1 + below(4); n > 0; n -= 1) ran.steps.push(await randomStep(tx, below, `${ran.id}.${String(n)}`))
        await tx.put(`/log/${ran.id}`, '')
      }
      await transact(seen(client), work).catch((error: unknown) => {
        ran.outcome = codeOf(error)
      })
    }
  })
  await run(Promise.all(working))
  rig.control.onRequest(() => undefined)
  await pass(SETTLE_MS)
  const problems = await judge(first, all)
  expect(await closeAll(rig, ...clients)).toEqual([])
  return problems
}

/** Replays what was committed, in the order of the zxids. */
async function judge(client: Client, all: readonly Ran[]): Promise<string[]> {
  const order: { readonly zxid: bigint; readonly ran: Ran }[] = []
  const problems: string[] = []
  for (const ran of all) {
    const stat = await run(client.exists(`/log/${ran.id}`))
    if (stat !== null) order.push({ zxid: stat.czxid, ran })
    if (stat === null && ran.outcome === 'done') problems.push(`${ran.id} is not there`)
    if (stat !== null && ran.outcome.endsWith('/rejected')) problems.push(`${ran.id} was refused, and is there`)
    if (!/^done$|\/unknown$|\/rejected$/.test(ran.outcome)) problems.push(`${ran.id}: ${ran.outcome}`)
  }
  const tree = new Map([['/t', '']])
  for (const { ran } of order.sort((x, y) => (x.zxid < y.zxid ? -1 : 1))) {
    for (const [kind, path, value = ''] of ran.steps) {
      if (kind === 'put') tree.set(path, value)
      else if (kind === 'delete') tree.delete(path)
      else {
        const names = [...tree.keys()].filter((each) => each.slice(0, each.lastIndexOf('/')) === path)
        const children = names.map((each) => each.slice(path.length + 1)).sort().join()
        const there = kind === 'children' ? children : (tree.get(path) ?? 'none')
        if (there !== value) problems.push(`${ran.id} read ${kind} ${path} as ${value}, and it was ${there}`)
      }
    }
  }
  return problems
}

/** A client whose multis lack what a filter leaves out. */
function without(isLeftOut: (operation: Operation, all: readonly Operation[]) => boolean): (client: Client) => Client {
  const multi = (client: Client): Client['multi'] => async (all, options) => {
    const kept = all.filter((operation) => !isLeftOut(operation, all))
    return kept.length === 0 ? [] : client.multi(kept, options)
  }
  return (client) => new Proxy(client, {
    get: (target, name) => {
      if (name === 'multi') return multi(target)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

function isTemporary({ path }: Operation, all: readonly Operation[]): boolean {
  return all.some(({ type, path: made }) => type === 'create' && made === path)
    && all.some(({ type, path: gone }) => type === 'delete' && gone === path)
}

it.each([false, true])('random transactions are as if one came after the other (with faults: %s)', async (isFaulty) => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    expect(await history(newRig(), seed, (client) => client, isFaulty), `seed ${String(seed)}`).toEqual([])
  }
})

it.each([
  ['checks', without(({ type }) => type === 'check')],
  ['guards of absence', without((operation, all) => isTemporary(operation, all))],
  ['guards of lists', without(({ path }) => path.includes('quorate-guard-'))],
])('they are not so without %s', async (_, broken) => {
  const problems: string[] = []
  for (let seed = 1; seed <= SEEDS && problems.length === 0; seed += 1) {
    problems.push(...(await history(newRig(), seed, broken, false)))
  }
  expect(problems).not.toEqual([])
})

/** Two doctors on call, of whom each leaves if the other stays. */
async function leaving(seen: (client: Client) => Client): Promise<string[]> {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  await run(a.makePath('/on'))
  for (const name of ['anna', 'ben']) await run(a.create(`/on/${name}`, 'on call'))
  const leave = (client: Client, own: string, other: string): Promise<void> => transact(seen(client), async (tx) => {
    if (text(await tx.get(`/on/${other}`)) === 'on call') await tx.put(`/on/${own}`, 'off')
  })
  await run(Promise.all([leave(a, 'anna', 'ben'), leave(b, 'ben', 'anna')]))
  const left = [text((await run(a.get('/on/anna'))).data), text((await run(a.get('/on/ben'))).data)]
  expect(await closeAll(rig, a, b)).toEqual([])
  return left.sort()
}

it('has no write skew, which there is without its checks', async () => {
  expect(await leaving((client) => client)).toEqual(['off', 'on call'])
  expect(await leaving(without(({ type }) => type === 'check'))).toEqual(['off', 'off'])
})

it.each(sweepOf(REQUESTS_STRUCK))('moves money once over $what at request $nth, or says so', async (struck) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(client.create('/from', '100').then(() => client.create('/to', '0')))
  const id = sessionOf(client)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const outcome = await run(transact(client, async (tx) => {
    await tx.put('/from', String(Number(text(await tx.get('/from'))) - 30))
    await tx.put('/to', String(Number(text(await tx.get('/to'))) + 30))
  }).then(() => 'done', codeOf))
  await pass(SETTLE_MS)
  const sums = [text((await run(other.get('/from'))).data), text((await run(other.get('/to'))).data)]
  if (outcome === 'done') expect(sums).toEqual(['70', '30'])
  else {
    expect(outcome).toMatch(/\/unknown$/)
    expect([['70', '30'], ['100', '0']]).toContainEqual(sums)
  }
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('sees its own writes, and refuses what cannot be', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const seen = await run(transact(client, async (tx) => {
    await tx.put('/a', '1')
    await tx.put('/a/b', '2')
    await expect(tx.put('/no/parent', '')).rejects.toMatchObject({ code: 'NO_NODE' })
    await expect(tx.delete('/a')).rejects.toMatchObject({ code: 'NOT_EMPTY' })
    await expect(tx.children('/none')).rejects.toMatchObject({ code: 'NO_NODE' })
    const before = [text(await tx.get('/a/b')), await tx.children('/a'), await tx.delete('/a/b'), await tx.delete('/c')]
    return [...before, await tx.exists('/a/b'), await tx.children('/a')]
  }))
  expect(seen).toEqual(['2', ['b'], true, false, false, []])
  expect(rig.control.nodes().map(({ path }) => path).filter((path) => /^\/(a|no)/.test(path))).toEqual(['/a'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('writes nothing if its function throws, and is of no use after it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  let kept: TransactionView | undefined
  const failure = await failureOf(transact(client, async (tx) => {
    kept = tx
    await tx.put('/a', '1')
    throw new Error('changed my mind')
  }))
  expect(String(failure)).toContain('changed my mind')
  expect(await run(client.exists('/a'))).toBeNull()
  await expect(kept?.get('/a')).rejects.toThrow(TypeError)
  expect(await closeAll(rig, client)).toEqual([])
})

it('does not tell of an error that only a state which never was could bring about', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(client.create('/x', '0').then(() => client.create('/y', '0')))
  let runs = 0
  const value = await run(transact(client, async (tx) => {
    runs += 1
    const x = text(await tx.get('/x'))
    if (runs === 1) {
      await other.multi([
        { type: 'set', path: '/x', data: new TextEncoder().encode('1'), version: 0 },
        { type: 'set', path: '/y', data: new TextEncoder().encode('1'), version: 0 },
      ])
    }
    const y = text(await tx.get('/y'))
    if (x !== y) throw new Error('they differ')
    return x
  }))
  expect([runs, value]).toEqual([2, '1'])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('gives up after so many attempts, with nothing written', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(client.create('/x', '0'))
  let runs = 0
  const failure = await failureOf(transact(client, async (tx) => {
    runs += 1
    await tx.get('/x')
    await other.set('/x', String(runs))
    await tx.put('/x', 'mine')
  }, { attemptsMax: 3 }))
  expect([codeOf(failure), runs]).toEqual(['BAD_VERSION/rejected', 3])
  expect(text((await run(client.get('/x'))).data)).toBe('3')
  expect(await closeAll(rig, client, other)).toEqual([])
})
