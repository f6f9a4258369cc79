import { afterEach, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { EmbeddedOptions, Ensemble, EnsembleEvent } from '../../../src/backends/embedded/index.ts'
import type { SessionState } from '../../../src/core/backend.ts'
import { connect } from '../../../src/core/connect.ts'
import type { Client } from '../../../src/core/client.ts'
import { isCoordinationError } from '../../../src/core/errors.ts'

const TICK_MS = 10
const PATIENCE_MS = 10_000
const POLL_MS = 2

const open: AsyncDisposable[] = []

afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]()
})

function start(options: EmbeddedOptions = {}): Ensemble {
  const ensemble = embedded({ tickMs: TICK_MS, ...options })
  open.push(ensemble)
  return ensemble
}

async function client(backend: Parameters<typeof connect>[0], options = {}): Promise<Client> {
  const connected = await connect(backend, options)
  open.push(connected)
  return connected
}

/** Waits until something is so; it has to become so by itself. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not so in ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function leaderOf(ensemble: Ensemble): number {
  const { leader } = ensemble
  if (leader === null) throw new Error('nobody leads')
  return leader
}

/** A server that does not lead. */
function followerOf(ensemble: Ensemble): number {
  const follower = ensemble.status().find((server) => server.role === 'FOLLOWING')
  if (follower === undefined) throw new Error('nobody follows')
  return follower.myid
}

async function converged(ensemble: Ensemble): Promise<void> {
  await until('all servers are at the same zxid', () => {
    const servers = ensemble.status()
    return servers.every((server) => server.serving && server.zxid === servers[0]?.zxid)
  })
}

describe('an ensemble in one process', () => {
  it('starts with its first client, elects the server with the greatest id, and serves', async () => {
    const ensemble = start()
    expect(ensemble.status().map((server) => server.role)).toEqual(['DOWN', 'DOWN', 'DOWN'])
    const alice = await client(ensemble)
    await alice.create('/a', 'hello')
    await until('all serve', () => ensemble.status().every((server) => server.serving))
    expect(ensemble.leader).toBe(3)
    const [{ epoch } = { epoch: 0 }] = ensemble.status()
    expect(ensemble.status()).toMatchObject([
      { myid: 1, role: 'FOLLOWING', leader: 3, epoch, sessions: 1 },
      { myid: 2, role: 'FOLLOWING', leader: 3, epoch, sessions: 1 },
      { myid: 3, role: 'LEADING', leader: 3, epoch, sessions: 1 },
    ])
  })

  it('spreads its clients over its servers, and shows them the same tree', async () => {
    const ensemble = start()
    const clients = await Promise.all([client(ensemble), client(ensemble), client(ensemble)])
    expect(ensemble.status().map((server) => server.connections)).toEqual([1, 1, 1])
    await clients[0]?.create('/a', 'hello')
    for (const reader of clients) {
      await reader.sync()
      expect(new TextDecoder().decode((await reader.get('/a')).data)).toBe('hello')
    }
  })

  it('counts sessions, connections, watches and nodes', async () => {
    const ensemble = start({ servers: 1 })
    const [before] = ensemble.status()
    const alice = await client(ensemble)
    await alice.exists('/a', { watch: () => undefined })
    await alice.create('/b')
    expect(before).toMatchObject({ sessions: 0, connections: 0, watches: 0 })
    const epoch = ensemble.status()[0]?.epoch ?? 0
    const zxid = (BigInt(epoch) << 32n) + 2n
    expect(ensemble.status()[0]).toMatchObject({ sessions: 1, connections: 1, watches: 1, zxid })
  })

  it.each([
    [{ servers: 0 }, RangeError, 'servers must be a whole number from 1 to 9, got 0'],
    [{ servers: 2.5 }, RangeError, 'servers must be a whole number from 1 to 9, got 2.5'],
    [{ sessionTimeoutMs: 19 }, RangeError, 'sessionTimeoutMs must be a whole number from 20 to 2147483647, got 19'],
    [{ severs: 3 }, TypeError, 'embedded() has no option "severs"; did you mean "servers"?'],
    [{ tickMs: '10' }, TypeError, 'tickMs must be a number, got "10"'],
  ])('refuses the options %o', (options, kind, message) => {
    expect(() => embedded({ tickMs: TICK_MS, ...(options as EmbeddedOptions) })).toThrow(kind)
    expect(() => embedded({ tickMs: TICK_MS, ...(options as EmbeddedOptions) })).toThrow(message)
  })

  it.each([5, null, 'three', [3]])('refuses %j in place of options', (options) => {
    expect(() => embedded(options as EmbeddedOptions)).toThrow(/^embedded\(\) takes an object of options/)
  })

  it('refuses servers that do not exist', () => {
    const ensemble = start()
    expect(() => ensemble.crash(4)).toThrow('there is no server 4; there are 1, 2, 3')
    expect(() => ensemble.at(0)).toThrow(RangeError)
    expect(() => ensemble.partition([[1, 2], [2]])).toThrow('server 2 is named twice in a partition')
  })
})

describe('when a server goes', () => {
  it('a client of another server notices nothing but a pause, and no write is lost', async () => {
    const ensemble = start()
    await ensemble.start()
    const alice = await client(ensemble.at(1))
    const states: string[] = []
    alice.onState((state) => states.push(state.status))
    await alice.create('/n', '0')
    ensemble.crash(2)
    for (let i = 1; i <= 10; i++) await alice.set('/n', String(i))
    expect((await alice.get('/n')).stat.version).toBe(10)
    expect(states).toEqual([])
  })

  it("its clients re-attach their sessions elsewhere, with their ephemerals and their watches", async () => {
    const ensemble = start()
    await ensemble.start()
    const leader = leaderOf(ensemble)
    const alice = await client(ensemble.at(leader))
    const bob = await client(ensemble.at(followerOf(ensemble)))
    const { sessionId } = alice
    await alice.create('/alice', '', { mode: 'ephemeral' })
    await bob.create('/watched', 'before')
    const events: string[] = []
    await alice.sync()
    await alice.get('/watched', { watch: (event) => events.push(`${event.type} ${event.path}`) })
    ensemble.crash(leader)
    await until('a write is taken again', async () => {
      await bob.set('/watched', 'after').catch(() => undefined)
      return ensemble.leader !== null
    })
    await until('the watch fires', () => events.length > 0)
    expect(events).toEqual(['changed /watched'])
    expect(alice.sessionId).toBe(sessionId)
    expect((await bob.exists('/alice'))?.ephemeralOwner).toBe(sessionId)
  })

  it('tells outcome unknown for a write that was in flight, and not-sent or nothing for reads', async () => {
    const ensemble = start()
    await ensemble.start()
    const follower = followerOf(ensemble)
    const alice = await client(ensemble.at(follower))
    await alice.create('/n')
    const write = alice.set('/n', 'x')
    const read = alice.get('/n')
    ensemble.crash(follower)
    const error: unknown = await write.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown', path: '/n' })
    expect((await read).stat.version).toBeGreaterThanOrEqual(0)
  })

  it('a session that finds no server in time expires, and its ephemerals go', async () => {
    const ensemble = start({ sessionTimeoutMs: 200 })
    await ensemble.start()
    const alice = await client(ensemble)
    const { sessionId } = alice
    await alice.create('/alice', '', { mode: 'ephemeral' })
    const states: SessionState['status'][] = []
    alice.onState((state) => states.push(state.status))
    for (const id of [1, 2, 3]) ensemble.crash(id)
    await until('the session is given up', () => states.includes('expired'))
    for (const id of [1, 2, 3]) ensemble.restart(id)
    await until('there is a new session', () => alice.state.status === 'connected')
    expect(states).toEqual(['suspended', 'expired', 'connected'])
    expect(alice.sessionId).not.toBe(sessionId)
    await until('the ephemeral is gone', async () => (await alice.exists('/alice')) === null)
  })

  it('a session that is cut off goes on if it is back in time, and is ended by the servers if not', async () => {
    const ensemble = start({ sessionTimeoutMs: 300 })
    await ensemble.start()
    const [alice, bob] = await Promise.all([client(ensemble), client(ensemble)])
    const { sessionId } = alice
    if (sessionId === null) throw new Error('no session')
    await alice.create('/alice', '', { mode: 'ephemeral' })
    ensemble.isolateSession(sessionId)
    await until('the client notices', () => alice.state.status === 'suspended')
    ensemble.rejoinSession(sessionId)
    await until('it is back', () => alice.state.status === 'connected')
    expect(alice.sessionId).toBe(sessionId)
    ensemble.isolateSession(sessionId)
    await until('its ephemeral goes', async () => (await bob.exists('/alice')) === null)
    await until('it has another session', () => alice.sessionId !== null && alice.sessionId !== sessionId)
  })

  it('elects again when the leader crashes, and the old leader catches up when it comes back', async () => {
    const ensemble = start()
    const events: EnsembleEvent[] = []
    ensemble.onEvent((event) => events.push(event))
    await ensemble.start()
    const alice = await client(ensemble.at(1))
    await alice.create('/n')
    const first = ensemble.status()[2]?.epoch ?? 0
    ensemble.crash(3)
    await until('another leads', () => ensemble.leader !== null)
    await until('a write is taken', async () => {
      try {
        await alice.set('/n', 'while it was away')
        return true
      } catch (error) {
        if (isCoordinationError(error, 'CONNECTION_LOSS')) return false
        throw error
      }
    })
    expect(ensemble.leader).toBe(2)
    ensemble.restart(3)
    await converged(ensemble)
    expect(ensemble.status()[2]).toMatchObject({ role: 'FOLLOWING', leader: 2, epoch: first + 1 })
    const elected = events.filter((event) => event.server === 2 && event.event.type === 'elected')
    expect(elected.map((event) => event.event)).toMatchObject([
      { vote: { leader: 3 }, supporters: [1, 2, 3] },
      { vote: { leader: 2, peerEpoch: first }, supporters: [1, 2] },
    ])
  })
})

describe('a server that comes back', () => {
  async function missWrites(ensemble: Ensemble, id: number, writes: number, wipe: boolean): Promise<EnsembleEvent[]> {
    await ensemble.start()
    const alice = await client(ensemble.at(leaderOf(ensemble)))
    await alice.create('/n')
    ensemble.crash(id)
    await Promise.all(Array.from({ length: writes }, () => alice.set('/n', 'x')))
    const events: EnsembleEvent[] = []
    ensemble.onEvent((event) => events.push(event))
    ensemble.restart(id, { wipe })
    await converged(ensemble)
    expect(ensemble.status()[id - 1]?.role).toBe('FOLLOWING')
    return events.filter((event) => event.server === id && event.event.type === 'synchronised')
  }

  it('with its storage gets what it missed by DIFF', async () => {
    const [first] = await missWrites(start(), 1, 20, false)
    expect(first?.event).toMatchObject({ mode: 'DIFF' })
  })

  it('with its storage, but far behind, gets a snapshot', async () => {
    const [first] = await missWrites(start(), 1, 3_000, false)
    expect(first?.event).toMatchObject({ mode: 'SNAP' })
  })

  it('without its storage, after a little, gets everything by DIFF, and votes again only then', async () => {
    const synchronisations = await missWrites(start(), 1, 20, true)
    expect(synchronisations.map(({ event }) => event)).toMatchObject([{ mode: 'DIFF', from: 0n }, { mode: 'DIFF' }])
  })

  it('without its storage, after much, gets a snapshot', async () => {
    const [first] = await missWrites(start(), 1, 3_000, true)
    expect(first?.event).toMatchObject({ mode: 'SNAP' })
  })

  it('keeps what it has over its own snapshots', async () => {
    const ensemble = start({ snapCount: 50 })
    await missWrites(ensemble, 2, 500, false)
    for (const id of [1, 2, 3]) ensemble.crash(id)
    for (const id of [1, 2, 3]) ensemble.restart(id)
    await until('a leader', () => ensemble.leader !== null)
    const bob = await client(ensemble)
    await bob.sync()
    expect((await bob.get('/n')).stat.version).toBe(500)
  })

  it('is refused while it is up', async () => {
    const ensemble = start()
    await ensemble.start()
    expect(() => ensemble.restart(1)).toThrow('server 1 is up; crash it first')
  })
})

describe('in a partition', () => {
  it('the majority goes on, the minority serves nobody, and all agree when it heals', async () => {
    const ensemble = start()
    await ensemble.start()
    const alice = await client(ensemble.at(1))
    await alice.create('/n')
    let hasLost = false
    alice.onState(({ status }) => {
      if (status === 'suspended') hasLost = true
    })
    ensemble.partition([[1], [2, 3]])
    await until('server 1 stops to serve', () => ensemble.status()[0]?.serving === false)
    await until('its client has gone to the majority', () => hasLost && alice.state.status === 'connected')
    await alice.set('/n', 'majority')
    expect(ensemble.status()[0]?.connections).toBe(0)
    ensemble.heal()
    await converged(ensemble)
  })

  it('a leader in the minority steps down, and what it had alone is undone', async () => {
    const ensemble = start()
    await ensemble.start()
    const leader = leaderOf(ensemble)
    const others = [1, 2, 3].filter((id) => id !== leader)
    const alice = await client(ensemble.at(leader))
    await alice.create('/n', 'before')
    ensemble.partition([[leader], others])
    const write = alice.set('/n', 'of the minority').catch((reason: unknown) => reason)
    const read = alice.create('/only-here').catch((reason: unknown) => reason)
    await until('the majority elects', () => others.includes(ensemble.leader ?? 0))
    expect(await write).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    expect(await read).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    ensemble.heal()
    await converged(ensemble)
    await alice.sync()
    expect(new TextDecoder().decode((await alice.get('/n')).data)).toBe('before')
    expect(await alice.exists('/only-here')).toBeNull()
  })

  it('without any majority nobody is served, and nobody is told a lie', async () => {
    const ensemble = start()
    await ensemble.start()
    const alice = await client(ensemble, { operationTimeoutMs: 300 })
    ensemble.partition([[1], [2], [3]])
    await until('all step down', () => ensemble.status().every((server) => !server.serving))
    await expect(alice.get('/')).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    ensemble.heal()
    await converged(ensemble)
  })
})

describe('observers', () => {
  it('serve and follow, but do not vote', async () => {
    const ensemble = start({ servers: 1, observers: 1 })
    await ensemble.start()
    await until('the observer serves', () => ensemble.status()[1]?.serving === true)
    const alice = await client(ensemble.at(2))
    await alice.create('/n', 'through an observer')
    expect(ensemble.status()[1]).toMatchObject({ role: 'OBSERVING', connections: 1 })
    ensemble.crash(1)
    await until('nobody serves', () => ensemble.status().every((server) => !server.serving))
    expect(ensemble.leader).toBeNull()
  })

  it('can be added while the ensemble runs', async () => {
    const ensemble = start()
    const alice = await client(ensemble)
    await alice.create('/n', 'x')
    const id = await ensemble.addObserver()
    expect(id).toBe(4)
    const bob = await client(ensemble.at(id))
    await bob.sync()
    expect((await bob.get('/n')).stat.version).toBe(0)
    expect(ensemble.status()[3]).toMatchObject({ role: 'OBSERVING', serving: true })
  })
})

describe('the end', () => {
  it('of a client leaves no session, watch or ephemeral behind', async () => {
    const ensemble = start()
    const alice = await connect(ensemble)
    await alice.create('/alice', '', { mode: 'ephemeral' })
    await alice.exists('/nothing', { watch: () => undefined })
    await alice.close()
    await converged(ensemble)
    expect(ensemble.status().map(({ sessions, connections, watches }) => [sessions, connections, watches])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ])
    const bob = await client(ensemble)
    expect(await bob.exists('/alice')).toBeNull()
  })

  it('of an ensemble is idempotent, and it cannot be used again', async () => {
    const ensemble = start()
    await ensemble.start()
    await ensemble.close()
    await ensemble.close()
    await expect(ensemble.start()).rejects.toThrow('this ensemble is closed')
    expect(ensemble.status().every((server) => server.role === 'DOWN')).toBe(true)
  })
})
