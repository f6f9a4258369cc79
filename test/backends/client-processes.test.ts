/**
 * Three clients, each in a process of its own, on a server in another: one is frozen while it holds the locks, and one
 * is killed while it takes them. docs/guarantees.md names these tests.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AtomicCounter, connect, isCoordinationError } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { eventually } from '../../src/testing/conformance/expect.ts'
import { etcdMissing, startEtcd } from '../engines/etcd.ts'
import { compiledPackage, startQuorateServer } from '../engines/quorate-server.ts'
import type { CompiledPackage } from '../engines/quorate-server.ts'
import { backendOf, ITEMS, PATHS } from '../engines/recipe-client.ts'
import type { LockName, Told } from '../engines/recipe-client.ts'
import { redisMissing, startRedis } from '../engines/redis.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'
import { Book } from './stories/book.ts'
import { now } from './stories/holds.ts'
import { PARTS } from './stories/parts.ts'
import { prepare } from './stories/troupe.ts'
import type { Line } from './stories/troupe.ts'

/** An engine in a process of its own. */
interface ServerProcess {
  readonly url: string
  readonly close: () => Promise<unknown>
}

const SESSION_TIMEOUT_MS = 2_000
const PATIENCE_MS = 60_000
const TEST_MS_MAX = 120_000
const ROUNDS = 3
const LOCKS: readonly LockName[] = ['fair', 'exclusive', 'leader']
const NAMES = ['one', 'two', 'three'] as const
/** How the program of a client and its parts are compiled. */
const COMPILED = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
}

const ENGINES: readonly (readonly [name: string, skipped: string | null, start: () => Promise<ServerProcess>])[] = [
  ['embedded', null, async () => {
    const { address, process } = await startQuorateServer(compiled)
    return { url: `zookeeper://${address}`, close: () => process.kill() }
  }],
  ['ZooKeeper', reasonToSkipZooKeeper(), async () => {
    const engine = await startZooKeeper()
    return { url: `zookeeper://${engine.connectString}`, close: () => engine.stop() }
  }],
  ['etcd', etcdMissing, async () => {
    const cluster = await startEtcd(1)
    return { url: (cluster.urls[0] ?? '').replace('http:', 'etcd:'), close: () => cluster.close() }
  }],
  ['Redis', redisMissing, async () => {
    const server = await startRedis()
    return { url: `redis://127.0.0.1:${server.port}`, close: () => server.close() }
  }],
]

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
  for (const folder of ['engines', 'backends/stories']) {
    mkdirSync(join(compiled.path, folder), { recursive: true })
    const from = fileURLToPath(new URL(`../${folder}/`, import.meta.url))
    for (const file of readdirSync(from)) {
      if (folder === 'engines' ? file !== 'recipe-client.ts' : !file.endsWith('.ts')) continue
      const { outputText } = ts.transpileModule(readFileSync(join(from, file), 'utf8'), { compilerOptions: COMPILED })
      writeFileSync(join(compiled.path, folder, file.replace(/ts$/, 'js')), outputText)
    }
  }
})

afterAll(() => compiled.remove())

for (const [name, skipped, start] of ENGINES) {
  const reason = skipped === null ? '' : ` (skipped: ${skipped})`
  describe.skipIf(skipped !== null)(`three processes on ${name}${reason}`, { timeout: TEST_MS_MAX }, () => {
    let story: Promise<Story> | null = null
    const told = (): Promise<Story> => (story ??= run(start))

    it('FairLock: a holder that was frozen past its session finds its lease lost, and others went on', async () =>
      judgeLock(await told(), 'fair'))

    it('ExclusiveLock: a holder that was frozen past its session finds its lease lost, and others went on', async () =>
      judgeLock(await told(), 'exclusive'))

    it('LeaderElection: a leader that was frozen past its session finds that it leads no longer', async () =>
      judgeLock(await told(), 'leader'))

    it('AtomicCounter: no step is told twice or lost, whoever was frozen and whoever was killed', async () => {
      const { steps, count } = await told()
      const befores = steps.filter((before) => before !== null)
      expect(new Set(befores).size).toBe(befores.length)
      expect(count).toBeGreaterThanOrEqual(befores.length)
      // Of each process one step may have been made that it could not tell of any more.
      expect(count).toBeLessThanOrEqual(steps.length + NAMES.length)
    })

    it('ConfigCenter: a subscriber that was frozen comes to the last value', async () => {
      const { values } = await told()
      expect(values).toEqual([2, 2])
    })

    it('GroupMembership: whoever was frozen comes back, whoever was killed is gone, and no node is left', async () => {
      const { membersBehindFreeze, membersBehindKill, leftBehind } = await told()
      expect(membersBehindFreeze).toEqual([[...NAMES].sort(), [...NAMES].sort()])
      expect(membersBehindKill).toEqual(['one', 'two'])
      expect(leftBehind).toEqual([])
    })

    it('PersistentNode: whoever was frozen has its node again, whoever was killed has none', async () => {
      const { nodesBehindFreeze, nodesBehindKill, leftBehind } = await told()
      expect([nodesBehindFreeze, nodesBehindKill]).toEqual([[...NAMES].sort(), ['one', 'two']])
      expect(leftBehind).toEqual([])
    })

    it('ServiceRegistry: whoever was frozen is seen again, whoever was killed is gone', async () => {
      const { instancesBehindFreeze, instancesBehindKill, leftBehind } = await told()
      expect(instancesBehindFreeze).toEqual([[...NAMES].sort(), [...NAMES].sort()])
      expect(instancesBehindKill).toEqual([['one', 'two'], ['one', 'two']])
      expect(leftBehind).toEqual([])
    })

    it('Partitioner: items of whoever was frozen or killed go to the others, and no node is left', async () => {
      const { ownedMeanwhile, ownedBehindFreeze, ownedBehindKill, leftBehind } = await told()
      const all = Array.from({ length: ITEMS }, (_, index) => String(index))
      expect([ownedMeanwhile, ownedBehindFreeze, ownedBehindKill]).toEqual([all, all, all])
      expect(leftBehind).toEqual([])
    })

    for (const part of PARTS) {
      it(part.title, async () => {
        expect((await told()).book.problems(part)).toEqual([])
      })
    }
  })
}

/** The record of three processes. */
interface Story {
  /** The token of whoever was frozen, those of the others meanwhile, and what its lease said when it woke up. */
  readonly locks: Readonly<Record<LockName, { held: bigint; meanwhile: readonly bigint[]; answer: string }>>
  /** The last values of a process that was frozen, and of one that was not. */
  readonly values: readonly (number | undefined)[]
  readonly membersBehindFreeze: readonly (readonly string[])[]
  readonly membersBehindKill: readonly string[]
  readonly nodesBehindFreeze: readonly string[]
  readonly nodesBehindKill: readonly string[]
  readonly instancesBehindFreeze: readonly (readonly string[])[]
  readonly instancesBehindKill: readonly (readonly string[])[]
  /** Items of the others while one is frozen, and those of all when it is back, and when another was killed. */
  readonly ownedMeanwhile: readonly string[]
  readonly ownedBehindFreeze: readonly string[]
  readonly ownedBehindKill: readonly string[]
  readonly leftBehind: readonly string[]
  /** The numbers before each step that was confirmed, and null for each that is not known. */
  readonly steps: readonly (string | null)[]
  /** The counter's number in the end. */
  readonly count: number
  /** The problems of all parts. */
  readonly book: Book
}

async function run(start: () => Promise<ServerProcess>): Promise<Story> {
  const server = await start()
  const book = new Book(PATIENCE_MS)
  const look = await connect(backendOf(server.url))
  await prepare(look)
  const clients = NAMES.map((name) => new ClientProcess(server.url, name, book.write))
  const [one, two, three] = clients as [ClientProcess, ClientProcess, ClientProcess]
  try {
    for (const client of clients) await client.untilTold(({ type }) => type === 'ready', 'it is ready')
    one.say('hold')
    for (const lock of LOCKS) await one.untilTold((told) => told.type === 'holding' && told.lock === lock, 'it holds')
    await publish(two, 1, [one, two])
    for (const client of [two, three]) client.say('work')
    for (const client of clients) client.say('count')
    for (const client of clients) await client.untilTold(({ type }) => type === 'step', 'it counts')
    for (const client of clients) client.say('play')
    await book.served([0, 1, 2], now(), 'before the freeze')
    one.child.kill('SIGSTOP')
    const frozenMs = now()
    await publish(two, 2, [two])
    for (const lock of LOCKS) {
      for (const client of [two, three]) await client.untilRounds(lock, ROUNDS, 'it gets the lock of a frozen one')
    }
    const meanwhile = (lock: LockName): bigint[] => [...two.tokens(lock), ...three.tokens(lock)]
    const tokens = { fair: meanwhile('fair'), exclusive: meanwhile('exclusive'), leader: meanwhile('leader') }
    const ownedMeanwhile = await untilShared([two, three])
    await book.served([1, 2], frozenMs, 'while another is frozen')
    one.child.kill('SIGCONT')
    const thawedMs = now()
    one.say('use')
    for (const lock of LOCKS) await one.untilTold((told) => told.type === 'used' && told.lock === lock, 'it wakes up')
    await eventually(() => one.value === 2, 'whoever was frozen comes to the last value', PATIENCE_MS)
    const isComplete = (client: ClientProcess): boolean => client.members.length === NAMES.length
    await eventually(() => isComplete(one) && isComplete(two), 'whoever was frozen is a member again', PATIENCE_MS)
    const membersBehindFreeze = [one.members, two.members]
    const isSeen = (client: ClientProcess): boolean => client.instances.length === NAMES.length
    await eventually(() => isSeen(one) && isSeen(two), 'whoever was frozen is an instance again', PATIENCE_MS)
    const instancesBehindFreeze = [one.instances, two.instances]
    const ownedBehindFreeze = await untilShared(clients)
    const nodesBehindFreeze = await untilNodes(server.url, NAMES.length)
    await book.served([0, 1, 2], thawedMs, 'after the freeze')

    const killed = await kill(server, three, [one, two], book)
    for (const client of [one, two]) client.say('conclude')
    await book.concluded([0, 1])
    for (const client of [one, two]) client.say('end')
    await Promise.all([one.ended, two.ended])
    await book.close([0, 1], look)
    const lockOf = (lock: LockName) => ({ held: one.held(lock), meanwhile: tokens[lock], answer: one.answer(lock) })
    return {
      locks: { fair: lockOf('fair'), exclusive: lockOf('exclusive'), leader: lockOf('leader') },
      values: [one.value, two.value],
      membersBehindFreeze,
      nodesBehindFreeze,
      instancesBehindFreeze,
      ownedMeanwhile,
      ownedBehindFreeze,
      ...killed,
      leftBehind: await leftBehind(server.url),
      steps: clients.flatMap((client) => client.steps),
      count: await countAt(server.url),
      book,
    }
  } finally {
    await look.close()
    for (const { child } of clients) child.kill('SIGKILL')
    await Promise.all(clients.map(({ ended }) => ended))
    await server.close()
  }
}

type Killed = Pick<Story, 'membersBehindKill' | 'nodesBehindKill' | 'instancesBehindKill' | 'ownedBehindKill'>

/** Kills one of three, and waits until the others go on without it. */
async function kill(
  server: ServerProcess,
  three: ClientProcess,
  [one, two]: readonly [ClientProcess, ClientProcess],
  book: Book,
): Promise<Killed> {
  three.child.kill('SIGKILL')
  const killedMs = now()
  const rounds = (lock: LockName): number => two.rounds(lock)
  const before = { fair: rounds('fair'), exclusive: rounds('exclusive'), leader: rounds('leader') }
  for (const lock of LOCKS) await two.untilRounds(lock, before[lock] + ROUNDS, 'it goes on without a killed one')
  await eventually(() => two.members.length === 2, 'whoever was killed is no member', PATIENCE_MS)
  const membersBehindKill = two.members
  const isAlone = (client: ClientProcess): boolean => client.instances.length === 2
  await eventually(() => isAlone(one) && isAlone(two), 'whoever was killed is no instance', PATIENCE_MS)
  const instancesBehindKill = [one.instances, two.instances]
  const ownedBehindKill = await untilShared([one, two])
  const nodesBehindKill = await untilNodes(server.url, 2)
  await book.served([0, 1], killedMs, 'without a killed one')
  return { membersBehindKill, nodesBehindKill, instancesBehindKill, ownedBehindKill }
}

function judgeLock({ locks }: Story, lock: LockName): void {
  const { held, meanwhile, answer } = locks[lock]
  expect(meanwhile.length).toBeGreaterThanOrEqual(2 * ROUNDS)
  expect(meanwhile.filter((token) => token <= held)).toEqual([])
  expect(new Set(meanwhile).size).toBe(meanwhile.length)
  expect(answer).toBe('LEASE_LOST')
}

async function publish(client: ClientProcess, value: number, followers: readonly ClientProcess[]): Promise<void> {
  client.say('publish')
  await eventually(() => followers.every((follower) => follower.value === value), `${value} is published`, PATIENCE_MS)
}

/** Reads the counter. */
async function countAt(url: string): Promise<number> {
  const client = await connect(backendOf(url))
  const count = await new AtomicCounter(client, PATHS.counter).get()
  await client.close()
  return Number(count)
}

/** Waits until some processes own every item, each item once, and returns the items. */
async function untilShared(clients: readonly ClientProcess[]): Promise<readonly string[]> {
  const owned = (): string[] => clients.flatMap((client) => client.items).sort()
  await eventually(() => owned().length === ITEMS, 'every item is owned', PATIENCE_MS)
  return owned()
}

/** Waits until so many persistent nodes are there, and returns their names. */
async function untilNodes(url: string, count: number): Promise<readonly string[]> {
  const client = await connect(backendOf(url))
  const names = (): Promise<readonly string[]> => namesUnder(client, PATHS.nodes)
  await eventually(async () => (await names()).length === count, `${count} nodes are there`, PATIENCE_MS)
  const found = await names()
  await client.close()
  return found
}

/** Nodes under what recipes keep, when everyone is gone. */
async function leftBehind(url: string): Promise<readonly string[]> {
  const client = await connect(backendOf(url))
  const names = async (): Promise<readonly string[]> => {
    const kept = [PATHS.nodes, `${PATHS.services}/api`, `${PATHS.shares}/items`, `${PATHS.shares}/members`]
    const paths = [PATHS.fair, PATHS.exclusive, PATHS.leader, PATHS.group, ...kept]
    return (await Promise.all(paths.map((path) => namesUnder(client, path)))).flat()
  }
  await eventually(async () => (await names()).length === 0, 'nothing is left', PATIENCE_MS)
  const left = await names()
  await client.close()
  return left
}

async function namesUnder(client: Client, path: string): Promise<readonly string[]> {
  try {
    return (await client.children(path)).names
  } catch (error) {
    // A container that became empty is gone.
    if (isCoordinationError(error, 'NO_NODE')) return []
    throw error
  }
}

/** A process that runs test/engines/recipe-client.ts. */
class ClientProcess {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  readonly #name: string
  readonly #told: Told[] = []
  #errors = ''

  /** Starts it; the lines of its parts go to `write`. */
  constructor(url: string, name: (typeof NAMES)[number], write: (line: Line) => void) {
    this.#name = name
    const program = join(compiled.path, 'engines', 'recipe-client.js')
    const words = [url, name, String(SESSION_TIMEOUT_MS), String(NAMES.indexOf(name))]
    this.child = spawn(process.execPath, [program, ...words], { stdio: 'pipe' })
    this.ended = new Promise((resolve) => this.child.once('close', resolve))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()))
    if (this.child.stdout === null) throw new Error('there is no output to read')
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Told
      if (told.type === 'line') write(told.line)
      else this.#told.push(told)
    })
  }

  /** The value that it was told last. */
  get value(): number | undefined {
    return this.#told.findLast((told) => told.type === 'value')?.value
  }

  /** The members that it saw last. */
  get members(): readonly string[] {
    return this.#told.findLast((told) => told.type === 'members')?.ids ?? []
  }

  /** See {@link Story.steps}. */
  get steps(): readonly (string | null)[] {
    return this.#told.flatMap((told) => (told.type === 'step' ? [told.before] : []))
  }

  /** The instances that it saw last. */
  get instances(): readonly string[] {
    return this.#told.findLast((told) => told.type === 'instances')?.ids ?? []
  }

  /** The items that it said last that it owns. */
  get items(): readonly string[] {
    return this.#told.findLast((told) => told.type === 'items')?.items ?? []
  }

  say(word: string): void {
    this.child.stdin?.write(`${word}\n`)
  }

  /** Tokens of the rounds that it had with a lock. */
  tokens(lock: LockName): readonly bigint[] {
    return this.#told.flatMap((told) => (told.type === 'round' && told.lock === lock ? [BigInt(told.token)] : []))
  }

  rounds(lock: LockName): number {
    return this.tokens(lock).length
  }

  held(lock: LockName): bigint {
    const holding = this.#told.find((told) => told.type === 'holding' && told.lock === lock)
    return holding?.type === 'holding' ? BigInt(holding.token) : 0n
  }

  answer(lock: LockName): string {
    const used = this.#told.find((told) => told.type === 'used' && told.lock === lock)
    return used?.type === 'used' ? used.answer : 'none'
  }

  untilTold(shows: (told: Told) => boolean, promise: string): Promise<void> {
    return this.#until(() => this.#told.some(shows), promise)
  }

  untilRounds(lock: LockName, rounds: number, promise: string): Promise<void> {
    return this.#until(() => this.rounds(lock) >= rounds, promise)
  }

  async #until(condition: () => boolean, promise: string): Promise<void> {
    try {
      await eventually(condition, `${this.#name}: ${promise}`, PATIENCE_MS)
    } catch (error) {
      throw new Error(`${String(error)}; it says: ${this.#errors}`, { cause: error })
    }
  }
}
