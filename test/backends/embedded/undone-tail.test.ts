/**
 * Servers of ours that begin on the files of ZooKeepers, one of which has logged what no majority has: its server is
 * brought back to the history of the others, by itself and in its process.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble, EnsembleEvent } from '../../../src/backends/embedded/index.ts'
import { zxidOf } from '../../../src/backends/embedded/server/zab/zxid.ts'
import { ZOOKEEPER_EPOCH, zooKeeperFiles } from '../../../src/testing/simulation/zookeeper-files.ts'
import type { ZooKeeperShare } from '../../../src/testing/simulation/zookeeper-files.ts'

const WAIT = { timeout: 20_000, interval: 20 }
/** Transactions that a majority has. */
const COMMITTED = 6
/** Those in the log of one server. */
const LOGGED = 9
const OLDER = { count: 3, until: 5 }
const MAJORITY: ZooKeeperShare = { count: COMMITTED, snapshots: [OLDER] }
const PARENT = '/zookeeper-made'

let directory = ''
let ensemble: Ensemble
let events: EnsembleEvent[] = []
let errors: unknown[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-undone-'))
  events = []
  errors = []
})

afterEach(async () => {
  await ensemble.close()
  rmSync(directory, { recursive: true, force: true })
})

function filesOf(id: number): string {
  return join(directory, `${id}`, 'version-2')
}

function give(id: number, share: ZooKeeperShare): void {
  mkdirSync(filesOf(id), { recursive: true })
  for (const { name, bytes } of zooKeeperFiles(share)) writeFileSync(join(filesOf(id), name), bytes)
}

/** Starts the ensemble, where a server does not reach the others before they serve and have written something. */
async function startWithout(id: number, observers = 0): Promise<void> {
  ensemble = embedded({ servers: 3, observers, dataDir: directory, tickMs: 20, onError: (error) => errors.push(error) })
  ensemble.onEvent((event) => events.push(event))
  ensemble.partition([[id]])
  await ensemble.start()
  await using client = await connect(ensemble.at(id === 1 ? 2 : 1))
  await client.create('/later', 'x')
}

function eventsOf<T extends EnsembleEvent['event']['type']>(
  id: number,
  type: T,
): Extract<EnsembleEvent['event'], { type: T }>[] {
  const own = events.filter(({ server }) => server === id).map(({ event }) => event)
  return own.filter((event): event is Extract<EnsembleEvent['event'], { type: T }> => event.type === type)
}

async function untilServing(id: number): Promise<void> {
  await expect.poll(() => ensemble.status().find(({ myid }) => myid === id)?.serving, WAIT).toBe(true)
}

/** The nodes that a client finds at a server that serves. */
async function namesAt(id: number): Promise<string[]> {
  await using client = await connect(ensemble.at(id))
  await client.sync('/')
  expect(Buffer.from((await client.get('/later')).data).toString()).toBe('x')
  return [...(await client.children(PARENT)).names].sort()
}

/** The nodes that the first transactions make, after a session and their parent. */
const namesUpTo = (count: number): string[] => Array.from({ length: count - 2 }, (_, index) => String(index + 3))
const CHILDREN = namesUpTo(COMMITTED)
const TO = zxidOf(ZOOKEEPER_EPOCH, COMMITTED)
const UP_TO = zxidOf(ZOOKEEPER_EPOCH, LOGGED)

it.each<[string, number, number, Partial<ZooKeeperShare>]>([
  ['a log', 3, 0, {}],
  ['a log and the snapshots after it', 3, 0, {
    snapshots: [OLDER, { count: COMMITTED + 1, until: LOGGED }, { count: LOGGED, until: LOGGED }],
  }],
  ['a log, and a snapshot that has parts of it', 3, 0, { snapshots: [OLDER, { count: 5, until: LOGGED }] }],
  ['the log of an observer', 4, 1, {}],
])('what was never committed is undone, in %s', async (_, id, observers, share) => {
  for (const other of [1, 2, 3, 4].slice(0, 3 + observers)) give(other, MAJORITY)
  rmSync(filesOf(id), { recursive: true })
  give(id, { ...MAJORITY, count: LOGGED, ...share })
  await startWithout(id, observers)
  ensemble.heal()
  await untilServing(id)
  expect(eventsOf(id, 'rewinding')).toEqual([{ type: 'rewinding', to: TO, applied: UP_TO }])
  expect([eventsOf(id, 'failed'), eventsOf(id, 'damaged'), errors]).toEqual([[], [], []])
  expect(await namesAt(id)).toEqual(CHILDREN)
  // From then on nothing of it is in its files.
  ensemble.crash(id)
  ensemble.restart(id)
  await untilServing(id)
  expect(eventsOf(id, 'rewinding')).toHaveLength(1)
  expect(await namesAt(id)).toEqual(CHILDREN)
})

it('a server whose files do not reach back so far puts them aside, says so, and learns from the others', async () => {
  give(1, MAJORITY)
  give(2, MAJORITY)
  give(3, { count: LOGGED, snapshots: [{ count: COMMITTED + 1, until: LOGGED }], isPurged: true })
  await startWithout(3)
  ensemble.heal()
  await untilServing(3)
  const [damaged] = eventsOf(3, 'damaged')
  expect(String(damaged?.error)).toMatch(/after zxid 0x100000006 was never committed.*cannot be cut off here/)
  expect(await namesAt(3)).toEqual(CHILDREN)
  expect(readdirSync(join(directory, '3'))).toContain('version-2.damaged-1')
  expect(eventsOf(3, 'failed')).toEqual([])
})

it('a server that would lead with it commits it', async () => {
  give(1, MAJORITY)
  give(2, MAJORITY)
  give(3, { ...MAJORITY, count: LOGGED })
  await startWithout(1)
  ensemble.heal()
  await untilServing(1)
  for (const id of [1, 2, 3]) expect(await namesAt(id)).toEqual(namesUpTo(LOGGED))
  expect(events.filter(({ event }) => event.type === 'rewinding')).toEqual([])
})
