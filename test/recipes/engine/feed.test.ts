/** How one state reaches many consumers. */
import { expect, it } from 'vitest'
import type { Delivery, Unsubscribe } from '../../../src/recipes/engine/feed.ts'
import { Feed } from '../../../src/recipes/engine/feed.ts'
import { codeOf, failureOf, pass, run, useVirtualTime } from '../rig.ts'

useVirtualTime()

function newFeed(): { feed: Feed<number>; errors: unknown[] } {
  const errors: unknown[] = []
  return { feed: new Feed((error) => void errors.push(error)), errors }
}

const whole = (delivery: Delivery<number>): Delivery<number> => delivery

it('tells a consumer that keeps up every state in order', async () => {
  const { feed } = newFeed()
  const seen: Delivery<number>[] = []
  feed.subscribe('/x', whole, (delivery) => void seen.push(delivery))
  for (const state of [1, 2, 3]) {
    feed.publish(state, false)
    expect(seen).toHaveLength(state - 1)
    await pass(0)
  }
  expect(seen.map(({ previous, current, missed }) => [previous, current, missed])).toEqual([
    [undefined, 1, 0],
    [1, 2, 0],
    [2, 3, 0],
  ])
})

it('gives a slow consumer the latest state, counts what it missed, and keeps the resync mark', async () => {
  const { feed } = newFeed()
  const seen: Delivery<number>[] = []
  feed.subscribe('/x', whole, async (delivery) => {
    seen.push(delivery)
    await new Promise((resolve) => setTimeout(resolve, 100))
  })
  feed.publish(1, false)
  await pass(1)
  feed.publish(2, true)
  feed.publish(3, false)
  feed.publish(4, false)
  await pass(200)
  expect(seen.slice(1)).toEqual([{ previous: 1, current: 4, missed: 2, resync: true }])
})

it('lets no consumer harm another, and reports what listeners throw', async () => {
  const { feed, errors } = newFeed()
  const seen: number[] = []
  feed.subscribe('/x', whole, () => {
    throw new Error('thrown')
  })
  feed.subscribe('/x', whole, () => Promise.reject(new Error('rejected')))
  feed.subscribe('/x', whole, () => new Promise<void>(() => undefined))
  feed.subscribe('/x', whole, ({ current }) => void seen.push(current))
  feed.publish(1, false)
  await pass(0)
  feed.publish(2, false)
  await pass(0)
  expect(seen).toEqual([1, 2])
  expect(errors.map(String).sort()).toEqual(['Error: rejected', 'Error: rejected', 'Error: thrown', 'Error: thrown'])
})

it('begins with the state that is known, unless it is not to', async () => {
  const { feed } = newFeed()
  const [initial, changes]: [number[], number[]] = [[], []]
  feed.publish(1, false)
  feed.subscribe('/x', whole, ({ current }) => void initial.push(current))
  feed.subscribe('/x', whole, ({ current }) => void changes.push(current), { emitInitial: false })
  await pass(0)
  feed.publish(2, false)
  await pass(0)
  expect([initial, changes]).toEqual([[1, 2], [2]])
})

it('leaves out the first state of all for a consumer that only wants changes', async () => {
  const { feed } = newFeed()
  const changes: (number | undefined)[] = []
  feed.subscribe('/x', whole, ({ previous }) => void changes.push(previous), { emitInitial: false })
  feed.publish(1, false)
  await pass(0)
  feed.publish(2, false)
  await pass(0)
  expect(changes).toEqual([1])
})

it('ends a subscription by a call or by using', async () => {
  const { feed } = newFeed()
  const seen: number[] = []
  const unsubscribe = feed.subscribe('/x', whole, ({ current }) => void seen.push(current))
  {
    using subscription = feed.subscribe('/x', whole, ({ current }) => void seen.push(-current))
    expect(subscription).toBeTypeOf('function')
    feed.publish(1, false)
    await pass(0)
  }
  unsubscribe()
  unsubscribe()
  feed.publish(2, false)
  await pass(0)
  expect(seen).toEqual([1, -1])
})

it.each([
  ['unsubscribes it', (_: Feed<number>, unsubscribe: Unsubscribe) => unsubscribe()],
  ['closes the feed', (feed: Feed<number>) => feed.close()],
])('does not call a listener of a change after another listener of it %s', async (_, end) => {
  const { feed } = newFeed()
  const heard: string[] = []
  feed.subscribe('/x', ({ current }) => current, (state) => {
    heard.push(`first ${state}`)
    end(feed, second)
    heard.push('ended')
  })
  const second = feed.subscribe('/x', ({ current }) => current, (state) => void heard.push(`second ${state}`))
  feed.publish(1, false)
  await pass(0)
  feed.publish(2, false)
  await pass(0)
  expect(heard.filter((line) => line.startsWith('second'))).toEqual([])
})

it('does not call a listener again after it has ended its own subscription, slow or not', async () => {
  const { feed } = newFeed()
  const heard: number[] = []
  const unsubscribe = feed.subscribe('/x', ({ current }) => current, async (state) => {
    heard.push(state)
    feed.publish(state + 1, false)
    unsubscribe()
    await pass(0)
  })
  feed.publish(1, false)
  await pass(0)
  await pass(0)
  expect(heard).toEqual([1])
})

it('iterates until the loop breaks, the signal aborts or the feed closes', async () => {
  const { feed } = newFeed()
  feed.publish(1, false)
  for await (const { current } of feed.iterate('/x', whole)) {
    expect(current).toBe(1)
    break
  }
  const stop = new AbortController()
  const aborted = feed.iterate('/x', whole, { signal: stop.signal })
  await run(aborted.next())
  const pending = aborted.next()
  stop.abort()
  expect(codeOf(await failureOf(pending))).toBe('ABORTED/aborted')
  expect(await run(aborted.next())).toEqual({ done: true, value: undefined })
  const closed = feed.iterate('/x', whole, { emitInitial: false })
  const last = closed.next()
  feed.close()
  expect(await run(last)).toEqual({ done: true, value: undefined })
  expect(await run(feed.iterate('/x', whole).next())).toEqual({ done: true, value: undefined })
})
