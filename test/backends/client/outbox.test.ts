/** The outbox of a session: its order, and which requests wait for the answers of the rest. */
import { describe, expect, it } from 'vitest'
import { CallQueue } from '../../../src/core/session/call-queue.ts'
import type { CallFailure } from '../../../src/core/session/call-queue.ts'
import { Call } from '../../../src/backends/client/calls.ts'
import { ClientOutbox } from '../../../src/backends/client/outbox.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'

const LOST: CallFailure = { code: 'CONNECTION_LOSS', message: 'lost', outcome: 'not-sent' }
const BURST = 1_000
const IN_FLIGHT = 128
const PROOF = -7

interface Rig {
  readonly outbox: ClientOutbox
  readonly sent: number[]
  readonly failed: { readonly xid: number; readonly isSent: boolean }[]
}

function rig(): Rig {
  const [sent, failed]: [Rig['sent'], Rig['failed']] = [[], []]
  const calls = new CallQueue<Call>(Infinity, ({ request }, _, isSent) => failed.push({ xid: request.xid, isSent }))
  return { outbox: new ClientOutbox(calls, ({ request }) => sent.push(request.xid), 128), sent, failed }
}

function call(xid: number): Call {
  const request = { xid, op: OpCode.sync, body: { path: '/' } } as const
  return new Call(request, '/', undefined, { read: () => 0, resolve: () => undefined, reject: () => undefined })
}

const xids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)

describe('a burst of calls', () => {
  it('is sent in order, and no more at once than is answered in a short while', () => {
    const { outbox, sent } = rig()
    outbox.open()
    for (const xid of xids(0, BURST)) outbox.add(call(xid))
    expect(sent).toEqual(xids(0, IN_FLIGHT))
    for (let answered = 0; answered < BURST; answered++) {
      expect(outbox.first?.request.xid).toBe(answered)
      outbox.answered()
      expect(sent).toHaveLength(Math.min(BURST, IN_FLIGHT + answered + 1))
    }
    expect(sent).toEqual(xids(0, BURST))
    expect(outbox.first).toBeUndefined()
  })

  it('is overtaken by what proves that the session lives', () => {
    const { outbox, sent } = rig()
    outbox.open()
    for (const xid of xids(0, BURST)) outbox.add(call(xid))
    outbox.addUrgent(call(PROOF))
    expect(sent.at(-1)).toBe(PROOF)
    expect(sent).toHaveLength(IN_FLIGHT + 1)
  })

  it('is held where the session is about to move, until what was sent is answered, and none of it fails', async () => {
    const { outbox, sent, failed } = rig()
    outbox.open()
    for (const xid of xids(0, BURST)) outbox.add(call(xid))
    const settled = outbox.settle()
    for (let answered = 0; answered < IN_FLIGHT; answered++) outbox.answered()
    expect(await settled).toBe(true)
    outbox.close(LOST)
    expect([sent.length, failed]).toEqual([IN_FLIGHT, []])
    outbox.open()
    expect(sent).toEqual(xids(0, 2 * IN_FLIGHT))
  })

  it('is not settled where something urgent was sent meanwhile', async () => {
    const { outbox } = rig()
    outbox.open()
    outbox.add(call(0))
    const settled = outbox.settle()
    outbox.answered()
    outbox.addUrgent(call(PROOF))
    expect(await settled).toBe(false)
  })

  it('waits for a connection, and goes on over its loss with what was not sent', () => {
    const { outbox, sent, failed } = rig()
    for (const xid of xids(0, BURST)) outbox.add(call(xid))
    expect(sent).toEqual([])
    outbox.open()
    outbox.close(LOST)
    expect(failed).toEqual(xids(0, IN_FLIGHT).map((xid) => ({ xid, isSent: true })))
    outbox.open()
    expect(sent).toEqual(xids(0, 2 * IN_FLIGHT))
  })

  it('fails whole and in order at the end of the session, what was not sent as such', () => {
    const { outbox, failed } = rig()
    outbox.open()
    for (const xid of xids(0, BURST)) outbox.add(call(xid))
    outbox.failAll(LOST)
    expect(failed).toEqual(xids(0, BURST).map((xid) => ({ xid, isSent: xid < IN_FLIGHT })))
  })
})
