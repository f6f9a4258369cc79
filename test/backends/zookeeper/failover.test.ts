/**
 * Three real servers: one is killed and restarted, one freezes, one is cut off in the middle of a request, one is
 * removed from the configuration.
 */
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { Session, SessionState } from '../../../src/core/backend.ts'
import { connect } from '../../../src/core/connect.ts'
import type { Client } from '../../../src/core/client.ts'
import { rowOf, withLags } from '../../../src/dashboard/servers/server-row.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../../src/recipes/membership/group-membership.ts'
import { SUPER_DIGEST, change } from '../embedded/members.ts'
import { startProxies } from '../../engines/proxy.ts'
import { freePorts, scratchFolder } from '../../engines/process.ts'
import { reasonToSkipZooKeeper, startZooKeeper, zooKeeperMember } from '../../engines/zookeeper.ts'
import type { ZooKeeper, ZooKeeperServer } from '../../engines/zookeeper.ts'

/** Much longer than an election takes, even on a busy machine. */
const SESSION_TIMEOUT_MS = 20_000
/** Short, where a silence has to be noticed. */
const SHORT_TIMEOUT_MS = 3_000
const ROUNDS = 6
const TEST_MS_MAX = 180_000

const skipped = reasonToSkipZooKeeper()
const NO_BYTES = new Uint8Array()
const EPHEMERAL = { mode: 'ephemeral' } as const

const endings: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function clientOf(servers: string): Promise<Client> {
  const client = await connect(zookeeper(servers, { sessionTimeoutMs: SESSION_TIMEOUT_MS }), {
    operationTimeoutMs: 60_000,
    connectTimeoutMs: 60_000,
  })
  endings.push(() => client.close())
  return client
}

async function sessionOf(servers: string, sessionTimeoutMs: number): Promise<Session> {
  const errors: unknown[] = []
  const session = await zookeeper(servers, { sessionTimeoutMs }).open({ onError: (error) => void errors.push(error) })
  endings.push(async () => {
    await session.close()
    expect(errors).toEqual([])
  })
  return session
}

/** Resolves when a session says this of itself. */
function untilStatus(session: Session, status: SessionState['status']): Promise<void> {
  return new Promise((resolve) => {
    if (session.state.status === status) resolve()
    session.onState((state) => {
      if (state.status === status) resolve()
    })
  })
}

function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => null,
    (error: unknown) => error,
  )
}

/** A counter that two holders at once would corrupt: it is read, and written a while later. */
class Counter {
  value = 0
  lastToken = 0n
  overlaps = 0
  #holders = 0

  async add(token: bigint): Promise<void> {
    this.#holders += 1
    if (this.#holders > 1 || token <= this.lastToken) this.overlaps += 1
    const { value } = this
    await new Promise((resolve) => setTimeout(resolve, 1))
    this.value = value + 1
    this.lastToken = token
    this.#holders -= 1
  }
}

async function count(
  client: Client,
  path: string,
  counter: Counter,
  Lock: typeof FairLock | typeof ExclusiveLock,
): Promise<void> {
  const lock = new Lock(client, path)
  for (let round = 0; round < ROUNDS; round += 1) {
    const lease = await lock.acquire()
    await counter.add(lease.token)
    await lease.release()
  }
}

describe.skipIf(skipped !== null)(`three ZooKeeper servers${skipped === null ? '' : ` (skipped: ${skipped})`}`, () => {
  let engine: Promise<ZooKeeper> | null = null
  const started = (): Promise<ZooKeeper> => (engine ??= startZooKeeper({ servers: 3 }))
  afterAll(async () => (await engine)?.stop())

  it('carry the four recipes over a leader that is killed and started again', { timeout: TEST_MS_MAX }, async () => {
    const { connectString, leader } = await started()
    const clients = await Promise.all([1, 2, 3].map(() => clientOf(connectString)))
    const [one, two, three] = clients as [Client, Client, Client]
    const [fair, exclusive] = [new Counter(), new Counter()]

    const config = new ConfigCenter<number>(one, '/failover/config')
    const follower = new ConfigCenter<number>(two, '/failover/config')
    const group = new GroupMembership<string>(one, '/failover/group')
    const member = await group.join('one', { data: 'first' })
    await config.publish(0)
    const seen: number[] = []
    const unsubscribe = follower.subscribe(({ value }) => {
      if (value !== undefined) seen.push(value)
    })

    const counting = clients.flatMap((client) => [
      count(client, '/failover/fair', fair, FairLock),
      count(client, '/failover/exclusive', exclusive, ExclusiveLock),
    ])
    const killed = await leader()
    await killed.kill()
    await config.publish(1)
    await killed.start()
    await Promise.all(counting)
    await config.publish(2)
    await expect.poll(() => seen.at(-1), { timeout: 60_000 }).toBe(2)
    const members = await new GroupMembership<string>(three, '/failover/group').members()

    expect([fair.value, fair.overlaps]).toEqual([3 * ROUNDS, 0])
    expect([exclusive.value, exclusive.overlaps]).toEqual([3 * ROUNDS, 0])
    expect(members.map(({ id, data }) => [id, data])).toEqual([['one', 'first']])
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    unsubscribe()
    await member.leave()
  })

  it('leave a session to the others when its server freezes', { timeout: TEST_MS_MAX }, async () => {
    const { servers, connectString, leader } = await started()
    const leading = await leader()
    // On a follower, so that there is nobody to be elected meanwhile.
    let session = await sessionOf(connectString, SHORT_TIMEOUT_MS)
    let frozen = await serverOf(servers, session)
    while (frozen === leading) {
      session = await sessionOf(connectString, SHORT_TIMEOUT_MS)
      frozen = await serverOf(servers, session)
    }
    const states: string[] = []
    session.onState(({ status }) => void states.push(status))
    frozen.freeze()
    try {
      const lost = await failureOf(session.create('/frozen', NO_BYTES, EPHEMERAL))
      expect(lost).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
      await untilStatus(session, 'connected')
      expect(states).toEqual(['suspended', 'connected'])
      const { stat } = await session.create('/thawed', NO_BYTES, EPHEMERAL)
      expect(stat.ephemeralOwner).toBe(session.id)
    } finally {
      frozen.thaw()
    }
  })

  it('do what they were asked by a client that is cut off before the answer, which says so', async () => {
    const { servers } = await started()
    const proxies = await startProxies(servers.map(({ port }) => port))
    endings.push(() => proxies.stop())
    const session = await sessionOf(proxies.connectString, SESSION_TIMEOUT_MS)
    const other = await sessionOf(proxies.connectString, SESSION_TIMEOUT_MS)
    const watched = new Promise((resolve) => void other.exists('/cut', resolve))
    await other.sync('/')
    proxies.setDeaf(session.id, true)
    const creating = failureOf(session.create('/cut', NO_BYTES, EPHEMERAL))
    await watched
    proxies.cut(session.id)
    expect(await creating).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown', path: '/cut' })
    proxies.setDeaf(session.id, false)
    expect((await session.exists('/cut'))?.ephemeralOwner).toBe(session.id)
  })

  it('keep the lease of a session that lives, and do not prolong that of one that is cut off', async () => {
    const { servers } = await started()
    const proxies = await startProxies(servers.map(({ port }) => port))
    endings.push(() => proxies.stop())
    const session = await sessionOf(proxies.connectString, SHORT_TIMEOUT_MS)
    const { leaseDeadlineMs: first } = session
    // Each look at the deadline asks for a proof.
    await expect.poll(() => session.leaseDeadlineMs, { timeout: 20_000 }).toBeGreaterThan(first + session.timeoutMs / 2)
    proxies.setDeaf(session.id, true)
    // Whatever is proven later was begun before now.
    const deafMs = performance.now()
    await untilStatus(session, 'suspended')
    expect(session.leaseDeadlineMs).toBeLessThan(deafMs + session.timeoutMs)
    proxies.setDeaf(session.id, false)
    proxies.cut(session.id)
    await untilStatus(session, 'connected')
  })
})

/** The server that a session is connected to. */
async function serverOf(servers: readonly ZooKeeperServer[], { id }: Session): Promise<ZooKeeperServer> {
  const connections = await Promise.all(servers.map((server) => server.ask('cons')))
  const sid = `sid=0x${BigInt.asUintN(64, id).toString(16)},`
  const server = servers.find((_, index) => connections[index]?.includes(sid))
  if (server === undefined) throw new Error(`no server has a connection with ${sid}`)
  return server
}

/** Servers whose lines name their ports for clients, and that let the superuser change them. */
async function changeable(): Promise<readonly ZooKeeperServer[]> {
  const scratch = scratchFolder('reconfigured')
  const ports = await freePorts(9)
  const lines = [1, 2, 3].map((id) => {
    const [client, peer, election] = ports.slice(3 * id - 3)
    return `server.${id}=127.0.0.1:${peer}:${election}:participant;127.0.0.1:${client}`
  })
  const config = { reconfigEnabled: 'true' }
  const properties = { 'zookeeper.DigestAuthenticationProvider.superDigest': SUPER_DIGEST }
  const servers = [1, 2, 3].map((id) => {
    const place = { id, port: ports[3 * id - 3] ?? 0 }
    return zooKeeperMember(place, join(scratch.path, String(id)), { config, properties }, lines)
  })
  endings.push(async () => {
    await Promise.all(servers.map((server) => server.kill()))
    scratch.remove()
  })
  await Promise.all(servers.map((server) => server.start()))
  return servers
}

describe.skipIf(skipped !== null)(`their configuration${skipped === null ? '' : ` (skipped: ${skipped})`}`, () => {
  it('is followed by a client whose server is removed, with its session', { timeout: TEST_MS_MAX }, async () => {
    const servers = await changeable()
    const answers = await Promise.all(servers.map((server) => server.ask('srvr')))
    // Only the leader names its epoch before the first write, and nobody lags.
    const rows = withLags(answers.map((answer) => rowOf('', answer, '')))
    expect(rows.map(({ role, epoch, lag }) => `${role} ${epoch} ${lag}`).sort()).toEqual([
      'follower 0 0', 'follower 0 0', 'leader 1 0',
    ])
    const [removed, kept] = servers.filter((_, index) => answers[index]?.includes('Mode: follower'))
    if (removed === undefined || kept === undefined) throw new Error('nobody follows')
    const client = await connect(zookeeper(removed.address, {
      sessionTimeoutMs: SESSION_TIMEOUT_MS, ensembleTracker: true,
    }))
    endings.push(() => client.close())
    const { sessionId } = client
    expect(await change({ leavingServers: String(removed.id) }, kept.port)).toBe(0)
    await vi.waitFor(async () => {
      expect((await removed.ask('cons')).includes(`sid=0x${sessionId?.toString(16)}`)).toBe(false)
    }, 20_000)
    await removed.kill()
    await client.create('/moved', '')
    expect(client.sessionId).toBe(sessionId)
  })
})
