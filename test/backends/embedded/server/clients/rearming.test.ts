import { describe, expect, it } from 'vitest'
import { CONNECTION_WATCHES_MAX } from '../../../../../src/backends/embedded/server/watch-limits.ts'
import { partsOf } from '../../../../../src/backends/embedded/host/clients/request-parts.ts'
import { Err, EventType, OpCode, Xid } from '../../../../../src/backends/wire/codes.ts'
import type { ClientMessage, SetWatches2Request } from '../../../../../src/backends/wire/records.ts'
import { Cluster } from '../cluster.ts'
import type { TestConnection } from '../test-connection.ts'

const { nodeCreated, nodeDataChanged, nodeDeleted } = EventType
const NONE = {
  relativeZxid: 1n << 62n,
  dataWatches: [],
  existWatches: [],
  childWatches: [],
  persistentWatches: [],
  persistentRecursiveWatches: [],
}

function ensemble(): Cluster {
  const cluster = new Cluster([1])
  cluster.startAll([1])
  return cluster
}

function pathsOf(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

/** The parts in which a host hands on a request for watches. */
function partsFor(body: Partial<SetWatches2Request>): ClientMessage[] {
  const whole = { ...NONE, ...body }
  const parts = [...partsOf({ kind: 'request', request: { xid: Xid.setWatches, op: OpCode.setWatches2, body: whole } })]
  expect(parts.length).toBeGreaterThan(2)
  return parts
}

/** Messages since the last look: events by type and path, and answers. */
function heard(connection: TestConnection): string[] {
  return connection.received.splice(0).flatMap((message) => {
    if (message.kind === 'connect') return []
    if (message.kind === 'event') return [`${message.event.type} ${message.event.path}`]
    return [`reply ${message.reply.xid} ${message.reply.err}`]
  })
}

function zxids(connection: TestConnection): bigint[] {
  return connection.received.flatMap((message) => (message.kind === 'event' ? [message.zxid] : []))
}

function expectRising(list: readonly bigint[]): void {
  expect(list).toEqual([...list].sort((a, b) => Number(a - b)))
}

function set(cluster: Cluster, connection: TestConnection, path: string): void {
  cluster.request(connection, { op: OpCode.setData, body: { path, data: null, version: -1 } })
  cluster.run()
}

describe('watches that are armed again in parts', () => {
  it('tell what was missed before what changes while they are armed, and all of it before the answer', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(1)]
    for (const path of ['/first', '/last']) cluster.create(other, path)
    cluster.run()
    const relativeZxid = cluster.server(1).status().zxid
    set(cluster, other, '/last')
    heard(client)
    const dataWatches = ['/first', ...pathsOf(4_000, '/gone'), '/last']
    const parts = partsFor({ relativeZxid, dataWatches })
    for (const [index, part] of parts.entries()) {
      cluster.send(client, part)
      if (index === 0) set(cluster, other, '/first')
    }
    expectRising(zxids(client))
    const told = heard(client)
    const [missed, later, reply] = told.slice(-3)
    expect([missed, later]).toEqual([`${nodeDataChanged} /last`, `${nodeDataChanged} /first`])
    expect(reply).toBe(`reply ${Xid.setWatches} 0`)
    expect(told.filter((line) => line.startsWith(`${nodeDeleted} /gone`))).toHaveLength(4_000)
    set(cluster, other, '/first')
    expect(heard(client)).toEqual([])
  })

  it('are told at once of what changes after the last part', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(1)]
    for (const part of partsFor({ existWatches: pathsOf(5_000, '/w') })) cluster.send(client, part)
    heard(client)
    cluster.create(other, '/w0')
    cluster.run()
    expect(heard(client)).toEqual([`${nodeCreated} /w0`])
  })

  it('that wait for an earlier write are armed after it, with one answer', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.holdDisk(1)
    const write = cluster.create(client, '/w1')
    for (const part of partsFor({ existWatches: pathsOf(5_000, '/w') })) cluster.send(client, part)
    expect(heard(client)).toEqual([])
    cluster.releaseDisk(1)
    cluster.run()
    expect(heard(client)).toEqual([`reply ${write} 0`, `${nodeCreated} /w1`, `reply ${Xid.setWatches} 0`])
  })

  it('and of which some last are told of every change of those, in order, after the last part', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(1)]
    heard(client)
    const persistentRecursiveWatches = pathsOf(5_000, '/r')
    for (const part of partsFor({ persistentWatches: ['/p'], persistentRecursiveWatches })) {
      cluster.send(client, part)
      cluster.create(other, '/r0')
      cluster.run()
      set(cluster, other, '/r0')
    }
    // The second part of five has the path that changes, and the last one is answered.
    const change = `${nodeDataChanged} /r0`
    expect(heard(client)).toEqual([change, change, change, `reply ${Xid.setWatches} 0`, change])
    cluster.create(other, '/r4999')
    cluster.create(other, '/r4999/below')
    cluster.create(other, '/p')
    cluster.run()
    expect(heard(client)).toEqual([`${nodeCreated} /r4999`, `${nodeCreated} /r4999/below`, `${nodeCreated} /p`])
  })

  it('and last are refused as a whole if they are too many: none is armed, nothing is told', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(1)]
    heard(client)
    const persistentWatches = pathsOf(CONNECTION_WATCHES_MAX / 2, '/p')
    for (const part of partsFor({ dataWatches: ['/gone'], persistentWatches })) cluster.send(client, part)
    expect(heard(client)).toEqual([`reply ${Xid.setWatches} ${Err.quotaExceeded}`])
    cluster.create(other, '/p0')
    cluster.run()
    expect(heard(client)).toEqual([])
    for (const part of partsFor({ persistentWatches })) cluster.send(client, part)
    expect(heard(client)).toEqual([`reply ${Xid.setWatches} 0`])
    cluster.create(other, '/p1')
    cluster.run()
    expect(heard(client)).toEqual([`${nodeCreated} /p1`])
  })
})
