/** The work that connections make, counted in steps over maps and sets: no test here looks at a clock. */
import { expect, it } from 'vitest'
import type { Packet } from '../../../../../src/backends/wire/packets.ts'
import { sha1 } from '../../../../../src/backends/embedded/host/digest.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { Connections } from '../../../../../src/backends/embedded/server/clients/connections.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import type { ServerEvent } from '../../../../../src/backends/embedded/server/ready.ts'
import { State } from '../../../../../src/backends/embedded/server/state/state.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { Cluster } from '../cluster.ts'

type Revalidate = Extract<Packet, { type: 'REVALIDATE' }>
/** A method of a map or set, or of what goes through one. */
type Step = (this: unknown, ...args: unknown[]) => unknown

const PASSWORD = Uint8Array.from({ length: 16 }, (_, i) => i)
const COLLECTIONS = [Map.prototype, Set.prototype]
const ITERATORS: readonly unknown[] = [new Map().values(), new Set().values(), [][Symbol.iterator]()]

/** How many look-ups, changes and steps of iterations over maps, sets and arrays something takes. */
function stepsOf(action: () => void): number {
  let steps = 0
  const restore: (() => void)[] = []
  const count = (prototype: unknown, name: string): void => {
    const owner = prototype as Record<string, Step>
    const original = owner[name]
    if (original === undefined) throw new Error(`there is no ${name}`)
    owner[name] = function counted(...args) {
      steps += 1
      return original.apply(this, args)
    }
    restore.push(() => {
      owner[name] = original
    })
  }
  for (const prototype of COLLECTIONS) for (const name of ['has', 'delete', 'forEach']) count(prototype, name)
  for (const name of ['get', 'set']) count(Map.prototype, name)
  for (const name of ['find', 'filter', 'some', 'every', 'map', 'indexOf']) count(Array.prototype, name)
  for (const iterator of ITERATORS) count(Object.getPrototypeOf(iterator), 'next')
  try {
    action()
  } finally {
    for (const undo of restore) undo()
  }
  return steps
}

/** A follower on which no session is applied yet, and the questions that it has asked its leader. */
class Follower {
  readonly asked: Revalidate[] = []
  readonly #state = new State()
  readonly #connections: Connections

  constructor() {
    const host = {
      ...SERVER_DEFAULTS,
      myid: 1,
      isAlone: () => false,
      isReadOnly: () => false,
      isFull: () => false,
      isConfirmed: () => true,
      reconfiguration: 'disabled' as const,
      state: () => this.#state,
      takesClients: () => true,
      seenHere: () => 0n,
      secretOf: () => null,
      submit: () => undefined,
      sync: () => undefined,
      touch: () => true,
      report: (event: ServerEvent) => {
        throw new Error(event.type)
      },
      revalidate: (packet: Revalidate) => {
        this.asked.push(packet)
      },
    }
    this.#connections = new Connections(host, { random: new SeededRandom(1), digest: sha1 })
  }

  /** A client on this connection asks for a session. */
  resume(connection: number, sessionId: bigint): void {
    const asked = { sessionId, passwd: PASSWORD, timeOut: 4000 }
    const request = { protocolVersion: 0, lastZxidSeen: 0n, readOnly: false, ...asked }
    this.#connections.receiveMessage(connection, { kind: 'connect', request })
  }

  /** The leader answers one question. */
  answer({ connection, sessionId, timeoutMs }: Revalidate, valid = true): void {
    this.#connections.revalidated({ type: 'REVALIDATED', connection, sessionId, valid, timeoutMs })
  }

  /** Numbers of sessions that are connected, and of answers to clients. */
  get counts(): { readonly sessions: number; readonly replies: number } {
    return { sessions: this.#connections.count, replies: this.#connections.take().replies.length }
  }
}

/** So many sessions move here at the same time, as when another server has ended. */
function stepsOfMoves(count: number): number {
  const follower = new Follower()
  const steps = stepsOf(() => {
    for (let i = 1; i <= count; i++) follower.resume(i, BigInt(i))
    for (const question of follower.asked) follower.answer(question)
  })
  expect(follower.counts).toEqual({ sessions: count, replies: count })
  return steps
}

it('of sessions that move here together grows with their number', () => {
  const few = stepsOfMoves(100)
  const many = stepsOfMoves(1_000)
  expect(few).toBeGreaterThan(100)
  expect(many).toBeLessThanOrEqual(10 * few)
})

it('of a session that many connections ask for grows with their number, and each has its own answer', () => {
  const stepsOfAsking = (count: number): number => {
    const follower = new Follower()
    for (let i = 1; i <= count; i++) follower.resume(i, 7n)
    const steps = stepsOf(() => {
      for (const question of follower.asked) follower.answer(question, question.connection === count)
    })
    expect(follower.counts).toEqual({ sessions: 1, replies: count })
    return steps
  }
  expect(stepsOfAsking(1_000)).toBeLessThanOrEqual(10 * stepsOfAsking(100))
})

it('requests that wait, however many, are looked at a few times each', () => {
  const cluster = new Cluster([1])
  cluster.startAll([1])
  cluster.isTracing = false
  const client = cluster.client(1)
  cluster.holdDisk(1)
  const count = 2_000
  for (let i = 0; i < count; i++) {
    cluster.create(client, `/n${i}`)
    cluster.request(client, { op: OpCode.exists, body: { path: `/n${i}`, watch: false } })
    if (i % 4 === 0) cluster.request(client, { op: OpCode.sync, body: { path: '/' } })
  }
  const pending = 2.25 * count
  expect(cluster.server(1).inspect().outstanding).toBe(pending)
  let looks = 0
  const originals = (['shift', 'find', 'findIndex', 'splice'] as const).map((name) => {
    const original = Array.prototype[name] as Step
    const counted: Step = function counted(...args) {
      // The cluster of this test has lists of its own.
      const all = this as unknown[]
      if (all.some((one) => typeof one === 'object' && one !== null && 'syncId' in one)) looks += all.length
      return original.apply(this, args)
    }
    Object.assign(Array.prototype, { [name]: counted })
    return () => Object.assign(Array.prototype, { [name]: original })
  })
  try {
    cluster.releaseDisk(1)
    cluster.run()
  } finally {
    for (const restore of originals) restore()
  }
  expect(cluster.server(1).inspect().outstanding).toBe(0)
  expect(client.received.filter(({ kind }) => kind === 'reply')).toHaveLength(pending)
  expect(looks).toBeLessThan(100 * pending)
})
