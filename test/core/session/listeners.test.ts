import { describe, expect, it, vi } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { connect } from '../../../src/core/connect.ts'
import { EventQueue } from '../../../src/core/session/event-queue.ts'
import { Listeners } from '../../../src/core/session/listeners.ts'
import { modelBackend } from '../../../src/testing/index.ts'
import { outcomeOf } from '../../outcomes.ts'
import { useRig } from '../rig.ts'
import { STAT } from '../scripted-backend.ts'

const rig = useRig()
const { connected, settle } = rig

describe('listeners', () => {
  it('hear every change in order, each until its own listening ends, also one that another ends', async () => {
    const queue = new EventQueue(() => undefined)
    const listeners = new Listeners<number>(queue, 'test')
    const heard: string[] = []
    const second = (value: number): void => void heard.push(`second ${value}`)
    listeners.add((value) => {
      heard.push(`first ${value}`)
      if (value === 2) endOnce()
      if (value === 3) listeners.clear()
    })
    const endOnce = listeners.add(second)
    listeners.add(second)
    for (const value of [1, 2, 3, 4]) listeners.tell(value)
    expect(heard).toEqual([])
    await settle()
    expect(heard).toEqual(['first 1', 'second 1', 'second 1', 'first 2', 'second 2', 'first 3'])
  })

  it('are named when they throw, with the error itself', async () => {
    const reports: unknown[][] = []
    const queue = new EventQueue((...report) => reports.push(report))
    const listeners = new Listeners<number>(queue, 'onState')
    const [thrown, rejected] = [new Error('thrown'), new Error('rejected')]
    listeners.add(function onChange() {
      throw thrown
    })
    listeners.add(async () => Promise.reject(rejected))
    listeners.tell(1)
    await settle()
    expect(reports).toEqual([
      [thrown, 'the onState listener "onChange"'],
      [rejected, 'the onState listener'],
    ])
  })

  it('of servers are called no more after their end, or that of the ensemble', async () => {
    vi.useRealTimers()
    const ensemble = embedded({ servers: 1, tickMs: 10 })
    await ensemble.start()
    const heard: string[] = []
    ensemble.onEvent(({ event }) => {
      heard.push(`first ${event.type}`)
      endSecond()
    })
    const endSecond = ensemble.onEvent(({ event }) => void heard.push(`second ${event.type}`))
    ensemble.crash(1)
    await ensemble.close()
    const before = heard.length
    expect(before).toBeGreaterThan(0)
    expect(heard.filter((text) => text.startsWith('second'))).toEqual([])
  })
})

describe("a client's state listeners", () => {
  it('hear nothing more once another has ended their listening, or close() has resolved', async () => {
    const { client, session } = await connected()
    const heard: string[] = []
    client.onState((state) => {
      heard.push(`first ${state.status}`)
      endSecond()
    })
    const endSecond = client.onState((state) => void heard.push(`second ${state.status}`))
    client.onState((state) => void heard.push(`third ${state.status}`))
    session.become({ status: 'suspended', deadlineMs: 1 })
    await settle()
    await client.close()
    expect(heard).toEqual(['first suspended', 'third suspended', 'first closed', 'third closed'])
    session.become({ status: 'expired' })
    await settle()
    expect(heard).toHaveLength(4)
  })

  it('that throw are reported with their name, and watchers with the path that the client gave', async () => {
    vi.useRealTimers()
    const reports: unknown[][] = []
    const onError = (...report: unknown[]): void => void reports.push(report)
    await using client = await connect(modelBackend(), { namespace: '/app', onError })
    const thrown = new Error('thrown')
    await client.exists('/a', {
      watch: function onChange() {
        throw thrown
      },
    })
    await client.create('/a')
    await vi.waitFor(() => expect(reports).toEqual([[thrown, 'the watcher "onChange" of /a']]))
  })
})

describe('close with a time to drain', () => {
  it('waits for calls in flight, takes those that they lead to, and then ends', async () => {
    const { client, session } = await connected()
    const working = outcomeOf(client.set('/a', '').then(() => client.set('/b', '')))
    const closing = outcomeOf(client.close({ drainMs: 1_000 }))
    await vi.advanceTimersByTimeAsync(100)
    expect(closing).toEqual({})
    session.last.resolve(STAT as never)
    await settle()
    session.last.resolve(STAT as never)
    await settle()
    expect(working.value).toEqual(STAT)
    expect(closing).toEqual({ value: 'done' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits for what owned resources do of themselves before it ends them', async () => {
    const { client } = await connected()
    const steps: string[] = []
    client.own({
      drain: () => new Promise((resolve) => setTimeout(resolve, 300)).then(() => void steps.push('drained')),
      close: () => Promise.resolve(steps.push('closed')).then(() => undefined),
    })
    const closing = outcomeOf(client.close({ drainMs: 1_000 }))
    await vi.advanceTimersByTimeAsync(301)
    expect(steps).toEqual(['drained', 'closed'])
    expect(closing).toEqual({ value: 'done' })
  })

  it('waits no longer than it was told, and a second close() ends the wait', async () => {
    const late = await connected()
    const lateCall = outcomeOf(late.client.set('/a', ''))
    const lateClosing = outcomeOf(late.client.close({ drainMs: 500 }))
    await vi.advanceTimersByTimeAsync(500)
    expect(lateClosing).toEqual({ value: 'done' })
    expect(lateCall.error).toMatchObject({ code: 'CLIENT_CLOSED' })
    const hurried = await connected()
    outcomeOf(hurried.client.set('/a', ''))
    const closing = outcomeOf(hurried.client.close({ drainMs: 60_000 }))
    await settle()
    await hurried.client.close()
    await settle()
    expect(closing).toEqual({ value: 'done' })
    await vi.advanceTimersByTimeAsync(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
