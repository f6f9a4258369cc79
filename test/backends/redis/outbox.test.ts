import { beforeEach, describe, expect, it } from 'vitest'
import { CallQueue } from '../../../src/core/session/call-queue.ts'
import { ownCall } from '../../../src/backends/redis/calls.ts'
import type { Call } from '../../../src/backends/redis/calls.ts'
import { ScriptOutbox } from '../../../src/backends/redis/outbox.ts'

const MEGABYTE = 1024 * 1024

describe('what a session on Redis sends', () => {
  let sent: string[]
  let calls: CallQueue<Call>
  let outbox: ScriptOutbox
  beforeEach(() => {
    sent = []
    calls = new CallQueue<Call>(Infinity, () => undefined)
    outbox = new ScriptOutbox(calls, (script, args, count) => void sent.push(`${script} ${args.join()} ${count}`))
    outbox.open()
  })

  const write = (name: string): Call => ownCall('write', [name], true, () => undefined)
  const read = (path: string): Call => ownCall('read', ['get', path], false, () => undefined)
  const tick = (): Call => ownCall('tick', ['1'], true, () => undefined)
  /** Answers the first script in flight, which answers so many calls. */
  const answer = (bytes: number, count = 1): void => {
    outbox.answered('read', bytes)
    for (let i = 0; i < count; i++) {
      const call = calls.takeAnswered()
      if (call !== undefined) outbox.done(call)
    }
    outbox.resume(() => undefined)
  }

  it('is no more at once than the answers of a megabyte, as far as that can be told', async () => {
    for (let i = 0; i < 5_000; i++) outbox.add(read(`/${i}`))
    await Promise.resolve()
    expect(sent).toHaveLength(16)
    // Long answers: one at a time.
    for (let i = 0; i < 16; i++) answer(MEGABYTE, 4)
    await Promise.resolve()
    expect(sent).toHaveLength(17)
    // Short ones again: more and more, up to a bound.
    for (let i = 17; i < 200; i++) answer(100, 4)
    await Promise.resolve()
    const inFlight = sent.length - 199
    expect([inFlight > 16, inFlight <= 33]).toEqual([true, true])
  })

  it('goes before all that waits if it keeps the session alive', async () => {
    for (let i = 0; i < 5_000; i++) outbox.add(read(`/${i}`))
    await Promise.resolve()
    const before = sent.length
    outbox.addUrgent(tick())
    expect(sent.slice(before)).toEqual(['tick 1 1'])
  })

  it('keeps its order, and counts its writes', async () => {
    outbox.add(write('a'))
    outbox.add(read('/a'))
    outbox.add(write('b'))
    await Promise.resolve()
    expect(sent).toEqual(['write 1,a 1', 'read get,/a 1', 'write 2,b 1'])
    expect(outbox.lastRequest).toBe(2)
  })

  it('is sent again with new numbers when a write was not counted, behind nothing that came later', () => {
    for (const name of ['a', 'b', 'c']) outbox.add(write(name))
    // The first one failed, so the others are out of order.
    outbox.answered('write', 0)
    calls.takeAnswered()
    outbox.uncounted()
    outbox.resume(() => undefined)
    outbox.add(write('d'))
    for (let i = 0; i < 2; i++) {
      outbox.answered('write', 0)
      const call = calls.takeAnswered()
      if (call !== undefined) outbox.again(call)
      outbox.resume(() => undefined)
    }
    expect(sent.slice(3)).toEqual(['write 1,b 1', 'write 2,c 1', 'write 3,d 1'])
  })

  it('is not sent again without end to a server that counts otherwise', () => {
    outbox.add(write('a'))
    let isGoingOn = true
    for (let i = 0; i < 10 && isGoingOn; i++) {
      outbox.answered('write', 0)
      const call = calls.takeAnswered()
      if (call !== undefined) outbox.again(call)
      isGoingOn = outbox.resume(() => undefined)
    }
    expect([isGoingOn, sent.length]).toEqual([false, 4])
    outbox.close()
    expect(calls.takeWaiting().map(({ args }) => args)).toEqual([['a']])
  })

  it('waits for the next connection where it was not sent, and goes out there in order', () => {
    for (let i = 0; i < 500; i++) outbox.add(write(`${i}`))
    const before = sent.length
    expect(before).toBe(256)
    calls.failInFlight({ code: 'CONNECTION_LOSS', message: '', outcome: 'not-sent' })
    outbox.close()
    outbox.addUrgent(tick())
    sent = []
    outbox.open()
    expect(sent[0]).toBe(`write ${before + 1},${before} 1`)
  })
})
