/** A queue under faults: nothing is lost, nothing is confirmed as done by two, and nothing is left behind. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { isCoordinationError } from '../../../src/core/errors.ts'
import { DistributedQueue } from '../../../src/recipes/queues/distributed-queue.ts'
import type { QueueItem } from '../../../src/recipes/queues/distributed-queue.ts'
import { newItemPrefix } from '../../../src/recipes/queues/queue-names.ts'
import { closeAll, codeOf, failureOf, newRig, nodesUnder, pass, run, sessionOf } from '../rig.ts'
import { stateOf, strike, sweepOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/queues/mail'
const SETTLED_MS = 30_000
const PUT_REQUESTS_MAX = 4
const TAKE_REQUESTS_MAX = 9

const queue = (client: Client, options = {}): DistributedQueue<string> => new DistributedQueue(client, PATH, options)

const nodesOf = (rig: Rig, folder: string): string[] => nodesUnder(rig, `${PATH}/${folder}`)

it.each(sweepOf(PUT_REQUESTS_MAX))('puts once, or cannot tell, under $what of request $nth', async (struck) => {
  const rig = newRig()
  const client = await rig.connect()
  await run(queue(client).put('before'))
  const id = sessionOf(client)
  strike(rig, struck.fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', struck.nth)
  const outcome = await run(queue(client).put('work').then(() => 'put', codeOf))
  await pass(SETTLED_MS)
  const isThere = nodesOf(rig, 'items').length === 2
  if (outcome === 'put') expect(isThere).toBe(true)
  else expect({ outcome, isThere }).toEqual({ outcome: expect.stringMatching(/\/unknown$/) as unknown, isThere: false })
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(sweepOf(TAKE_REQUESTS_MAX))('hands out and settles under $what of request $nth', async ({ fate, nth }) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(queue(other).put('work'))
  const id = sessionOf(client)
  strike(rig, fate, ({ sessionId, kind }) => sessionId === id && kind !== 'close', nth)
  const done: string[] = []
  const consume = async (consumer: Client): Promise<void> => {
    const item = await queue(consumer).take({ waitMs: SETTLED_MS })
    await item.ack()
    done.push(item.value)
  }
  const first = consume(client).catch((error: unknown) => codeOf(error))
  await pass(SETTLED_MS / 2)
  const ended = await run(first)
  if (nodesOf(rig, 'items').length > 0) await run(consume(other))
  await pass(SETTLED_MS)
  // An ack whose session ended may have been done; it is not said to be.
  if (ended === undefined) expect(done).toEqual(['work'])
  else expect(ended).toMatch(/^(LEASE_LOST\/lost|SESSION_EXPIRED\/unknown)$/)
  expect(done.length).toBeLessThanOrEqual(1)
  expect({ items: nodesOf(rig, 'items'), claims: nodesOf(rig, 'claims') }).toEqual({ items: [], claims: [] })
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('loses nothing, and lets nobody confirm what another has confirmed, while sessions end all the time', async () => {
  const rig = newRig()
  const producer = await rig.connect()
  const consumers = [await rig.connect(), await rig.connect(), await rig.connect()]
  const values = Array.from({ length: 30 }, (_, index) => `item-${index}`)
  for (const value of values) await run(queue(producer).put(value))
  const done: string[] = []
  const doubtful = new Set<string>()
  const ending = new AbortController()
  const work = async (client: Client): Promise<void> => {
    for await (const item of queue(client).consume({ signal: ending.signal, concurrency: 2 })) {
      void settle(item)
    }
  }
  const settle = async (item: QueueItem<string>): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 400 * Math.random()))
    try {
      await item.ack()
      done.push(item.value)
    } catch (error) {
      if (isCoordinationError(error) && error.outcome === 'unknown') doubtful.add(item.value)
    }
  }
  const works = consumers.map((client) => work(client).catch(codeOf))
  for (let blow = 0; blow < 60; blow++) {
    await pass(170)
    const victim = consumers[blow % consumers.length]
    if (victim === undefined || victim.sessionId === null) continue
    if (blow % 2 === 0) rig.control.expire(victim.sessionId)
    else {
      const { sessionId } = victim
      rig.control.disconnect(sessionId)
      setTimeout(() => rig.control.reconnect(sessionId), 300)
    }
  }
  await pass(4 * SETTLED_MS)
  expect(nodesOf(rig, 'items')).toEqual([])
  expect(new Set(done).size).toBe(done.length)
  expect(values.filter((value) => !done.includes(value) && !doubtful.has(value))).toEqual([])
  ending.abort()
  expect(await run(Promise.all(works))).toEqual(['ABORTED/aborted', 'ABORTED/aborted', 'ABORTED/aborted'])
  expect(await closeAll(rig, producer, ...consumers)).toEqual([])
})

it('counts attempts over crashes, and puts away what was handed out too often', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(queue(client).put('poison'))
  for (const attempt of [1, 2, 3]) {
    const victim = await rig.connect()
    const item = await run(queue(victim, { attemptsMax: 3 }).take())
    expect(item.attempt).toBe(attempt)
    rig.control.expire(sessionOf(victim))
    await run(victim.close())
  }
  const late = queue(client, { attemptsMax: 3 })
  expect(codeOf(await failureOf(late.take({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  const [letter] = await run(late.deadLetters())
  expect(letter).toMatchObject({ value: 'poison', reason: 'handed out 3 times, and never done', attempt: 4 })
  expect(await run(late.removeDeadLetter(letter?.id ?? ''))).toBe(true)
  expect(await run(late.removeDeadLetter(letter?.id ?? ''))).toBe(false)
  expect(await closeAll(rig, client)).toEqual([])
})

it('puts away what cannot be decoded, reports it, and goes on with the next one', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(queue(client).put('good', { priority: 200 }))
  await run(client.create(`${PATH}/items/100-${'0'.repeat(32)}-0000000007`, 'no JSON'))
  const item = await run(queue(client).take())
  expect(item.value).toBe('good')
  await run(item.ack())
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt'])
  expect(await run(queue(client).deadLetters())).toMatchObject([{ value: undefined, attempt: 1 }])
  expect(await closeAll(rig, client)).toEqual([])
})

it('gives back an item that cannot be put away, or whose settlement was given up before it was sent', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const full = queue(client, { maxItems: 1 })
  await run(full.put('first'))
  await run((await run(full.take())).deadLetter('no use'))
  await run(full.put('second'))
  const second = await run(full.take())
  expect(codeOf(await failureOf(second.deadLetter('no use')))).toBe('QUEUE_FULL/rejected')
  const again = await run(full.take())
  expect([again.value, again.attempt]).toEqual(['second', 2])
  expect(codeOf(await failureOf(again.ack({ signal: AbortSignal.abort() })))).toBe('ABORTED/aborted')
  expect((await run(full.take())).attempt).toBe(3)
  expect(await closeAll(rig, client)).toEqual([])
})

it('passes over what cannot be put away, says so once, and hands out what comes after it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const full = queue(client, { maxItems: 2, attemptsMax: 1 })
  await run(full.put('first', { priority: 0 }))
  await run((await run(full.take())).deadLetter('no use'))
  await run(client.create(`${PATH}/items/000-${'0'.repeat(32)}-0000000007`, 'no JSON'))
  expect(codeOf(await failureOf(full.take({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  await run(full.put('tried', { priority: 1 }))
  await run((await run(full.take())).nack())
  await run(full.put('good', { priority: 2 }))
  const good = await run(full.take())
  expect(good.value).toBe('good')
  await run(good.ack())
  expect(codeOf(await failureOf(full.take({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  expect(rig.errors.map(codeOf)).toEqual(['INVALID_VALUE/corrupt', 'QUEUE_FULL/rejected'])
  const [letter] = await run(full.deadLetters())
  await run(full.removeDeadLetter(letter?.id ?? ''))
  expect(codeOf(await failureOf(full.take({ waitMs: 500 })))).toBe('TIMEOUT/aborted')
  expect((await run(full.deadLetters())).map(({ value }) => value)).toContain('tried')
  expect(await closeAll(rig, client)).toEqual([])
})

it('leaves an item alone that it had no room to put away, for longer each time, and takes what follows', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const full = queue(client, { maxItems: 2 })
  for (const value of ['dead', 'dead too']) {
    await run(full.put(value))
    await run((await run(full.take())).deadLetter('no use'))
  }
  await run(full.put('poison', { priority: 0 }))
  const takenAtMs: number[] = []
  const ending = new AbortController()
  const consuming = (async () => {
    for await (const item of full.consume({ signal: ending.signal })) {
      if (item.value === 'good') await item.ack()
      else {
        takenAtMs.push(performance.now())
        await item.deadLetter('no use').catch((error: unknown) => expect(codeOf(error)).toBe('QUEUE_FULL/rejected'))
      }
    }
  })().catch(codeOf)
  await pass(3_000)
  await run(full.put('good'))
  await pass(SETTLED_MS / 10)
  expect(await run(full.size())).toBe(1)
  const pausesMs = takenAtMs.slice(1).map((atMs, index) => atMs - (takenAtMs[index] ?? 0))
  expect(pausesMs.length).toBeLessThan(6)
  expect(pausesMs).toEqual([...pausesMs].sort((a, b) => a - b))
  for (const { id } of await run(full.deadLetters())) await run(full.removeDeadLetter(id))
  await pass(SETTLED_MS)
  expect(await run(full.size())).toBe(0)
  ending.abort()
  expect(await run(consuming)).toBe('ABORTED/aborted')
  expect(await closeAll(rig, client)).toEqual([])
})

it('knows at each instant whether it has an item', async () => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  await run(queue(other).put('work'))
  const item = await run(queue(client).take())
  item.throwIfLost()
  rig.control.expire(sessionOf(client))
  await pass(SETTLED_MS)
  expect(item.throwIfLost).toThrow(/was lost/)
  const again = await run(queue(other).take())
  await run(again.ack())
  expect(again.throwIfLost).toThrow(/is settled/)
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('gives back what a turn of the loop has not settled, also when it throws', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const mail = queue(client)
  await run(mail.put('work'))
  const attempts: number[] = []
  const consumed = async (): Promise<void> => {
    for await (const item of mail.consume()) {
      attempts.push(item.attempt)
      if (item.attempt === 2) throw new Error('of the work')
    }
  }
  expect(String(await failureOf(consumed()))).toBe('Error: of the work')
  expect({ attempts, claims: nodesOf(rig, 'claims') }).toEqual({ attempts: [1, 2], claims: [] })
  expect(await closeAll(rig, client)).toEqual([])
})

it('hands out no more at a time than the concurrency, and goes on when one is settled', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const mail = queue(client)
  for (const value of ['a', 'b', 'c']) await run(mail.put(value))
  const loop = mail.consume({ concurrency: 2 })
  const first = await run(loop.next())
  await run(loop.next())
  const third = loop.next()
  await pass(SETTLED_MS)
  expect(await stateOf(third)).toBe('pending')
  await run(first.value?.ack() ?? Promise.resolve())
  expect((await run(third)).value?.value).toBe('c')
  expect(await closeAll(rig, client)).toEqual([])
})

it('keeps the list of the most items that there may be within 1 MB', () => {
  const { prefix } = newItemPrefix(999, Number('9'.repeat(13)))
  // A name goes over the wire with its length, which takes four bytes.
  expect(15_000 * (`${prefix}-2147483648`.length + 4)).toBeLessThan(1_048_575)
})

it('settles an item once', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(queue(client).put('work'))
  const item = await run(queue(client).take())
  await run(item.ack())
  expect(codeOf(await failureOf(item.ack()))).toBe('LEASE_LOST/lost')
  expect(codeOf(await failureOf(item.deadLetter('too late')))).toBe('LEASE_LOST/lost')
  await run(item.nack())
  expect(item.signal.aborted).toBe(false)
  expect(await closeAll(rig, client)).toEqual([])
})

it('leaves no claim and no watch behind when a take ends', async () => {
  const rig = newRig()
  const client = await rig.connect()
  expect(codeOf(await failureOf(queue(client).take({ waitMs: 0 })))).toBe('TIMEOUT/aborted')
  expect(codeOf(await failureOf(queue(client).take({ waitMs: 200 })))).toBe('TIMEOUT/aborted')
  expect(rig.control.watchCount()).toBe(0)
  await run(queue(client).put('work'))
  const id = sessionOf(client)
  const controller = new AbortController()
  const struck = strike(rig, { delayMs: 500 }, ({ sessionId, kind }) => sessionId === id && kind === 'multi')
  const take = queue(client).take({ signal: controller.signal })
  for (let step = 0; step < 100 && !struck.isMet; step++) await pass(1)
  controller.abort()
  expect(codeOf(await failureOf(take))).toBe('ABORTED/aborted')
  await pass(SETTLED_MS)
  expect(nodesOf(rig, 'claims')).toEqual([])
  expect(await closeAll(rig, client)).toEqual([])
})
