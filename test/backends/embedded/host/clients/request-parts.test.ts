import { describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import { partsOf } from '../../../../../src/backends/embedded/host/clients/request-parts.ts'
import { EventType, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { ClientMessage, SetWatches2Request } from '../../../../../src/backends/wire/records.ts'
import { RawClient } from './raw-client.ts'

const NONE = {
  relativeZxid: 7n,
  dataWatches: [],
  existWatches: [],
  childWatches: [],
  persistentWatches: [],
  persistentRecursiveWatches: [],
}

function pathsOf(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

function asked(body: SetWatches2Request): ClientMessage {
  return { kind: 'request', request: { xid: -8, op: OpCode.setWatches2, body } }
}

describe('a request for many watches', () => {
  it('is cut into parts that ask for the same in the same order, and only the last one is answered', () => {
    const body = { ...NONE, dataWatches: pathsOf(4_500, '/d'), existWatches: pathsOf(3, '/e') }
    const parts = [...partsOf(asked({ ...body, childWatches: pathsOf(2_001, '/c') }))]
    const seen: string[] = []
    for (const part of parts) {
      if (part.kind !== 'request' || part.request.op === OpCode.ping) throw new Error('a request')
      const { body: of } = part.request as { body: SetWatches2Request }
      expect(of.relativeZxid).toBe(7n)
      const paths = [...of.dataWatches, ...of.existWatches, ...of.childWatches]
      expect(paths.length).toBeLessThanOrEqual(2_000)
      seen.push(...paths)
    }
    expect(seen).toEqual([...pathsOf(4_500, '/d'), ...pathsOf(3, '/e'), ...pathsOf(2_001, '/c')])
    expect(parts.map((part) => part.kind === 'request' && part.part !== undefined)).toEqual([
      ...Array.from({ length: parts.length - 1 }, () => true),
      false,
    ])
  })

  it('stays whole if it is small', () => {
    const small = asked({ ...NONE, dataWatches: pathsOf(2_000, '/d') })
    expect([...partsOf(small)]).toEqual([small])
  })

  it('says with each part what all of them need, if some of the watches last', () => {
    const lasting = asked({ ...NONE, dataWatches: pathsOf(2_000, '/d'), persistentWatches: ['/p', '/pp'] })
    const parts = [...partsOf(lasting)]
    const bytes = 2 * (pathsOf(2_000, '/d').join('').length + 2 * '/p/pp'.length)
    const part = { room: { watches: 2_004, bytes } }
    expect(parts.map((one) => (one.kind === 'request' ? one.part : null))).toEqual([part, part, undefined])
  })

  it('is answered once, after its events and before what was asked later, on one connection and in order', async () => {
    await using ensemble = embedded({ servers: 1, clientPorts: [0] })
    await ensemble.start()
    const client = await RawClient.open(ensemble.clientPorts[0] ?? 0)
    const made = { path: '/made', data: null, acl: OPEN_ACL, flags: 0 }
    await client.ask(OpCode.create, made)
    const paths = pathsOf(20_000, '/w')
    const body = { relativeZxid: 1n << 62n, dataWatches: ['/gone'], existWatches: paths, childWatches: ['/none'] }
    const first = client.send(OpCode.create, { ...made, path: '/before' })
    const rearm = client.send(OpCode.setWatches, body)
    const later = client.send(OpCode.exists, { path: '/made', watch: false })
    const write = client.send(OpCode.create, { ...made, path: '/w19999' })
    await client.answered(write)
    const order = client.messages.map((message) => {
      if (message.kind === 'reply') return message.reply.xid
      return message.kind === 'event' ? `${message.event.type} ${message.event.path}` : message.kind
    })
    expect(order).toEqual([
      first,
      `${EventType.nodeDeleted} /gone`,
      `${EventType.nodeDeleted} /none`,
      rearm,
      later,
      `${EventType.nodeCreated} /w19999`,
      write,
    ])
    await client.drop()
  })
})
