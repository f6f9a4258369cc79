/**
 * The longest turn of the event loop over what an ordinary client can ask for, on a large tree. A server that computes
 * longer than this at a time does not answer pings, and its clients' sessions end.
 *
 * Each request is measured until its longest turn is short enough, and several times before it is called too long: a
 * turn in which the machine did something else, or the collector ran, says nothing of the request. The client neither
 * encodes nor decodes while it is measured. The limit goes by the speed of the machine.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../../src/backends/embedded/index.ts'
import { AddWatchMode, CreateFlag, OpCode } from '../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/wire/records.ts'
import type { Acl, RequestBodies } from '../../../../src/backends/wire/records.ts'
import { LoopMonitor, longestTurnMs } from './loop-monitor.ts'
import { RawClient } from './clients/raw-client.ts'
import type { OpenClient } from './clients/raw-client.ts'

const CHILDREN = 100_000
const EPHEMERALS = 20_000
const WATCHES = 50_000
const PART_OF_A_TREE = 1_000
const RUNS = 30
/** The limit of any turn, in milliseconds. */
const TURN_MS_MAX = 50
/**
 * Exceptions, with their limits; in brackets, figures measured on a machine with much else to do. A multi is one
 * transaction (10,000 creates: 49 to 76 ms), a request is decoded in one go (95,000 watches: 49 to 69 ms; 45,000 that
 * are recursive: up to 60 ms), and so is the end of a session one transaction, in which each of its nodes is deleted
 * (50,000 nodes: 83 to 105 ms).
 */
const LARGEST_MULTI_MS_MAX = 100
const MOST_WATCHES_MS_MAX = 100
const LARGEST_END_MS_MAX = 150

const ensemble = embedded({
  servers: 1,
  clientPorts: [0],
  maxClientCnxns: 0,
  snapCount: 10_000_000,
  fourLetterWords: ['*'],
})
let monitor: LoopMonitor
let port = 0
let owner: OpenClient

/** Sends bytes, and takes what comes without a look at it. */
class Blunt {
  readonly socket: Socket
  bytes = 0
  #quietAt = 0

  constructor(at: number) {
    this.socket = connect(at, '127.0.0.1')
    this.socket.on('error', () => undefined)
    this.socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      this.#quietAt = performance.now()
    })
  }

  /** Resolves when something has come, and then nothing more for a while. */
  async answer(): Promise<void> {
    const before = this.bytes
    while (this.bytes === before) await pause(1)
    while (performance.now() - this.#quietAt < 20) await pause(5)
  }

  async ended(): Promise<void> {
    if (!this.socket.closed) await new Promise((resolve) => this.socket.once('close', resolve))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function creation(path: string, flags: number = CreateFlag.persistent, acl: readonly Acl[] = OPEN_ACL) {
  return { path, data: null, acl, flags }
}

async function fill(
  count: number,
  creationOf: (index: number) => ReturnType<typeof creation>,
  client: OpenClient = owner,
): Promise<void> {
  for (let made = 0; made < count; made += PART_OF_A_TREE) {
    const parts = Array.from({ length: Math.min(PART_OF_A_TREE, count - made) }, (_, i) => {
      return { op: OpCode.create, body: creationOf(made + i) } as const
    })
    expect((await client.ask(OpCode.multi, parts)).err).toBe(0)
  }
}

beforeAll(async () => {
  await ensemble.start()
  port = ensemble.clientPorts[0] ?? 0
  owner = await RawClient.open(port, { timeOut: 60_000 })
  const paths = ['/list', '/deep', '/many-rights', '/eph', '/zookeeper/quota/list']
  for (const path of paths) await owner.ask(OpCode.create, creation(path))
  const acl = Array.from({ length: 1_000 }, (_, i) => ({ perms: 31, scheme: 'digest', id: `user-${i}:hash` }))
  const anyone = { perms: 31, scheme: 'world', id: 'anyone' }
  await owner.ask(OpCode.setAcl, { path: '/many-rights', acl: [...acl, anyone], version: -1 })
  await fill(CHILDREN, (i) => creation(`/list/_c_${`${(i * 7_919) % 1_000_003}`.padStart(36, '0')}-lock-`))
  await fill(EPHEMERALS, () => creation('/eph/e', CreateFlag.ephemeralSequential))
  const chunk = 5_000
  for (let i = 0; i < WATCHES; i += chunk) {
    const existWatches = Array.from({ length: chunk }, (_, j) => `/watched/${i + j}`)
    await owner.ask(OpCode.setWatches, { relativeZxid: 1n << 62n, dataWatches: [], existWatches, childWatches: [] })
  }
  monitor = new LoopMonitor()
}, 120_000)

afterAll(async () => {
  monitor.stop()
  await owner.drop()
  await ensemble.close()
})

/** See `longestTurnMs`. */
function longestTurn(run: (attempt: number) => Promise<number>, limitMs = TURN_MS_MAX): Promise<number> {
  return longestTurnMs({ runsMax: RUNS, limitMs }, run)
}

/** A connection with a session that reads without a look, and what makes its requests. */
async function bluntClient(): Promise<{ readonly blunt: Blunt; readonly encoder: RawClient }> {
  const encoder = await RawClient.open(port)
  const blunt = new Blunt(port)
  blunt.socket.write(encoder.encodeConnect())
  await blunt.answer()
  return { blunt, encoder }
}

type Asked = { [O in keyof RequestBodies]: readonly [O, RequestBodies[O]] }[keyof RequestBodies]

const NO_WATCHES = {
  relativeZxid: 1n << 62n,
  dataWatches: [],
  existWatches: [],
  childWatches: [],
  persistentWatches: [],
  persistentRecursiveWatches: [],
}
const check = { op: OpCode.check, body: { path: '/', version: -1 } } as const
const read = { op: OpCode.getData, body: { path: '/zookeeper/config', watch: false } } as const
const listPath = { path: '/list', watch: true }

/** Requests of a client, with a name; after a change of the list, where that can matter. */
interface Entry {
  readonly name: string
  readonly asked: () => Asked
  readonly isAfterChange?: boolean
  /** Longest turn in milliseconds, if it is a known exception. */
  readonly turnMsMax?: number
}

const CATALOGUE: readonly Entry[] = [
  { name: 'the names of 100,000 children', asked: () => [OpCode.getChildren2, listPath] },
  {
    name: 'the names of 100,000 children after a change',
    asked: () => [OpCode.getChildren, listPath],
    isAfterChange: true,
  },
  { name: 'the number of nodes below the root', asked: () => [OpCode.getAllChildrenNumber, { path: '/' }] },
  { name: 'the number of nodes below a node', asked: () => [OpCode.getAllChildrenNumber, { path: '/list' }] },
  { name: 'ephemeral nodes of a session that has none', asked: () => [OpCode.getEphemerals, { prefixPath: '/' }] },
  { name: 'a node with a path of 500,000 characters', asked: () => {
    return [OpCode.exists, { path: `/${'a'.repeat(500_000)}`, watch: true }]
  } },
  { name: 'a node with a path of 300,000 segments', asked: () => {
    return [OpCode.create, creation(`${'/a'.repeat(300_000)}/b`)]
  } },
  { name: 'a watch below 300,000 segments', asked: () => {
    return [OpCode.addWatch, { path: '/a'.repeat(300_000), mode: AddWatchMode.persistentRecursive }]
  } },
  { name: 'a node that is watched from above', asked: () => {
    return [OpCode.create, creation('/deep/n', CreateFlag.persistentSequential)]
  } },
  { name: 'a quota, which counts all nodes', asked: () => [OpCode.multi, [
    { op: OpCode.create, body: creation('/zookeeper/quota/list/zookeeper_stats') },
    { op: OpCode.delete, body: { path: '/zookeeper/quota/list/zookeeper_stats', version: -1 } },
  ]] },
  { name: 'a multi of 10,000 checks', asked: () => [OpCode.multi, Array.from({ length: 10_000 }, () => check)] },
  { name: 'a multi of 1,000 creates', asked: () => [OpCode.multi, Array.from({ length: 1_000 }, () => {
    return { op: OpCode.create, body: creation('/deep/m', CreateFlag.persistentSequential) } as const
  })] },
  { name: 'a multi of 10,000 creates', turnMsMax: LARGEST_MULTI_MS_MAX, asked: () => {
    const part = { op: OpCode.create, body: creation('/deep/m', CreateFlag.persistentSequential) } as const
    return [OpCode.multi, Array.from({ length: 10_000 }, () => part)]
  } },
  { name: 'a multiRead of 10,000 nodes', asked: () => [OpCode.multiRead, Array.from({ length: 10_000 }, () => read)] },
  { name: 'a list of 1,000 rights', asked: () => [OpCode.getAcl, { path: '/many-rights' }] },
  { name: 'a change of who may do what', asked: () => {
    const acl = Array.from({ length: 1_000 }, (_, i) => ({ perms: 31, scheme: 'ip', id: `10.0.${i >> 8}.${i & 255}` }))
    return [OpCode.create, creation('/deep/r', CreateFlag.persistentSequential, acl)]
  } },
  { name: '10,000 watches again', asked: () => {
    const paths = Array.from({ length: 10_000 }, (_, i) => `/again/${i}`)
    return [OpCode.setWatches, { relativeZxid: 1n << 62n, dataWatches: paths, existWatches: paths, childWatches: [] }]
  } },
  { name: '95,000 watches again', turnMsMax: MOST_WATCHES_MS_MAX, asked: () => {
    const existWatches = Array.from({ length: 95_000 }, (_, i) => `/w${i}`)
    return [OpCode.setWatches, { relativeZxid: 1n << 62n, dataWatches: [], existWatches, childWatches: [] }]
  } },
  { name: '45,000 recursive watches again', turnMsMax: MOST_WATCHES_MS_MAX, asked: () => {
    const persistentRecursiveWatches = Array.from({ length: 45_000 }, (_, i) => `/w${i}`)
    return [OpCode.setWatches2, { ...NO_WATCHES, persistentRecursiveWatches }]
  } },
  { name: 'a claim that is as long as a request', asked: () => {
    return [OpCode.auth, { type: 0, scheme: 'digest', auth: new Uint8Array(1_000_000).fill(58) }]
  } },
]

describe('no turn of a server is long', () => {
  it.each(CATALOGUE)('for $name', async ({ asked, isAfterChange = false, turnMsMax: limitMs = TURN_MS_MAX }) => {
    const ms = await longestTurn(async (attempt) => {
      if (isAfterChange) await owner.ask(OpCode.create, creation(`/list/x${attempt}`))
      const { blunt, encoder } = await bluntClient()
      const [op, body] = asked() as readonly [typeof OpCode.exists, RequestBodies[typeof OpCode.exists]]
      const bytes = encoder.encode(op, body)
      await pause(1)
      monitor.reset()
      blunt.socket.write(bytes)
      await Promise.race([blunt.answer(), blunt.ended()])
      const turnMs = monitor.longestTurnMs
      blunt.socket.destroy()
      await encoder.drop()
      return turnMs
    }, limitMs)
    expect(ms).toBeLessThan(limitMs)
  })

  it('for the end of a session with 50,000 ephemeral nodes', async () => {
    const limitMs = LARGEST_END_MS_MAX
    const ms = await longestTurn(async () => {
      const leaving = await RawClient.open(port, { timeOut: 60_000 })
      const pathOf = (i: number): string => `/eph/s${(i * 7_919) % 1_000_003}-`
      await fill(50_000, (i) => creation(pathOf(i), CreateFlag.ephemeralSequential), leaving)
      monitor.reset()
      expect((await leaving.ask(OpCode.closeSession, null)).err).toBe(0)
      await leaving.drop()
      return monitor.longestTurnMs
    }, limitMs)
    expect(ms).toBeLessThan(limitMs)
  }, 120_000)

  it('for the end of a connection with 95,000 watches', async () => {
    const existWatches = Array.from({ length: 95_000 }, (_, i) => `/w${i}`)
    const ms = await longestTurn(async () => {
      const { blunt, encoder } = await bluntClient()
      blunt.socket.write(encoder.encode(OpCode.setWatches2, { ...NO_WATCHES, existWatches }))
      await blunt.answer()
      monitor.reset()
      blunt.socket.destroy()
      await pause(200)
      const turnMs = monitor.longestTurnMs
      await encoder.drop()
      return turnMs
    })
    expect(ms).toBeLessThan(TURN_MS_MAX)
  })

  it('for 10,000 writes of one client that come together', async () => {
    const { blunt, encoder } = await bluntClient()
    const write = encoder.encode(OpCode.create, creation('/deep/w', CreateFlag.persistentSequential))
    const all = Buffer.concat(Array.from({ length: 10_000 }, () => write))
    const ms = await longestTurn(async () => {
      monitor.reset()
      blunt.socket.write(all)
      await blunt.answer()
      return monitor.longestTurnMs
    })
    blunt.socket.destroy()
    await encoder.drop()
    expect(ms).toBeLessThan(TURN_MS_MAX)
  })

  it.each(['wchs', 'wchp', 'wchc', 'dump', 'mntr', 'cons', 'stat'])('for the word %s', async (word) => {
    const ms = await longestTurn(async () => {
      const blunt = new Blunt(port)
      await pause(5)
      monitor.reset()
      blunt.socket.write(word)
      await blunt.ended()
      expect(blunt.bytes).toBeGreaterThan(10)
      return monitor.longestTurnMs
    })
    expect(ms).toBeLessThan(TURN_MS_MAX)
  })

  it('for a hundred large requests that come together', async () => {
    const { blunt, encoder } = await bluntClient()
    const multi = encoder.encode(OpCode.multi, Array.from({ length: 1_000 }, () => check))
    const reads = encoder.encode(OpCode.multiRead, Array.from({ length: 1_000 }, () => read))
    const all = Buffer.concat(Array.from({ length: 50 }, () => [multi, reads]).flat())
    const ms = await longestTurn(async () => {
      monitor.reset()
      blunt.socket.write(all)
      await blunt.answer()
      return monitor.longestTurnMs
    })
    blunt.socket.destroy()
    await encoder.drop()
    expect(ms).toBeLessThan(TURN_MS_MAX)
  })
})
