import { describe, expect, it } from 'vitest'
import { EventQueue } from '../../../src/core/session/event-queue.ts'

/** Lets every microtask run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an event queue', () => {
  it('runs what was pushed in order, later than the push, and within the turn', async () => {
    const order: string[] = []
    const queue = new EventQueue(() => undefined)
    for (let number = 1; number <= 50; number++) queue.push(() => order.push(`task ${number}`))
    order.push('pushed')
    expect(queue.idle).toBe(false)
    await turn()
    expect(order).toEqual(['pushed', ...Array.from({ length: 50 }, (_, index) => `task ${index + 1}`)])
    expect(queue.idle).toBe(true)
  })

  it('is not idle while a task runs, and runs what a task pushes behind the others', async () => {
    const order: string[] = []
    const queue = new EventQueue(() => undefined)
    queue.push(() => {
      order.push(`idle ${queue.idle}`)
      queue.push(() => order.push('pushed by a task'))
    })
    queue.push(() => order.push(`second, idle ${queue.idle}`))
    await turn()
    expect(order).toEqual(['idle false', 'second, idle false', 'pushed by a task'])
  })

  it('reports what a task throws or rejects with, does not wait for it, and goes on', async () => {
    const errors: unknown[] = []
    const order: string[] = []
    const queue = new EventQueue((error) => errors.push(error))
    queue.push(() => {
      throw new Error('thrown')
    })
    queue.push(async () => {
      await turn()
      throw new Error('rejected')
    })
    queue.push(() => order.push('third'))
    await turn()
    expect(order).toEqual(['third'])
    await turn()
    expect(errors).toEqual([new Error('thrown'), new Error('rejected')])
  })

  it('survives an error handler that throws', async () => {
    const order: string[] = []
    const queue = new EventQueue(() => {
      throw new Error('handler')
    })
    queue.push(() => {
      throw new Error('task')
    })
    queue.push(() => order.push('next'))
    await turn()
    expect(order).toEqual(['next'])
  })
})
