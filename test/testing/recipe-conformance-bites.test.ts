/**
 * The suites of locks, elections, configuration and groups must find what they are there to find: each of these recipes
 * breaks one promise, and the case that is named has to say so.
 */
import type { Client } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { configHistorySuite, configSuite, electionSuite, lockSuite } from '../../src/testing/index.ts'
import { membershipSuite } from '../../src/testing/index.ts'
import type {
  ConfigHistorySuiteOptions,
  ConfigSuiteOptions,
  ElectionSuiteOptions,
  LockSuiteOptions,
  MembershipSuiteOptions,
  TestedConfig,
  TestedElection,
  TestedConfigHistory,
  TestedGroup,
  TestedLease,
  TestedLock,
} from '../../src/testing/index.ts'
import { bites } from './bites.ts'
import type { Broken } from './bites.ts'
import { collectedCases } from './collected-cases.ts'

const NO_DATA = ''

const LOCKS: readonly Broken<LockSuiteOptions['makeLock']>[] = [
  {
    what: 'two hold at a time',
    make: () => {
      let token = 0n
      const acquire = async (): Promise<TestedLease> => freeLease(++token)
      return { acquire, tryAcquire: acquire }
    },
    caughtBy: 'of many contenders one holds at a time, and each gets its turn',
  },
  {
    what: 'contenders of one client all hold',
    make: (client, path) => {
      const shared = sharedLeaseOf(client, path)
      return { acquire: shared, tryAcquire: shared }
    },
    caughtBy: 'contenders of one client exclude each other too',
  },
  {
    what: 'tokens stay the same',
    make: (client, path) => changedLeases(client, path, (lease) => ({ ...faceOf(lease), token: 1n })),
    caughtBy: 'tokens grow strictly, over releases, sessions and an empty lock',
  },
  {
    what: 'tryAcquire leaves a node',
    make: (client, path) => ({
      acquire: (options) => new FairLock(client, path).acquire(options),
      tryAcquire: async () => {
        const lease = await new FairLock(client, path).tryAcquire()
        if (lease === null) await client.create(`${path}/left-`, NO_DATA, { mode: 'ephemeral-sequential' })
        return lease
      },
    }),
    caughtBy: 'tryAcquire of a free lock gets it, and of a taken one answers null and leaves nothing',
  },
  {
    what: 'a wait that is over leaves a contender',
    make: (client, path) => ({
      acquire: (options = {}) => {
        return new FairLock(client, path).acquire(options).catch(async (error: unknown) => {
          await client.create(`${path}/left-`, NO_DATA, { mode: 'ephemeral-sequential' })
          throw error
        })
      },
      tryAcquire: () => new FairLock(client, path).tryAcquire(),
    }),
    caughtBy: 'a wait that lasts too long rejects with TIMEOUT and leaves nothing',
  },
  {
    what: 'a wait does not hear its signal',
    make: (client, path) => ({
      acquire: () => new FairLock(client, path).acquire(),
      tryAcquire: () => new FairLock(client, path).tryAcquire(),
    }),
    caughtBy: 'a wait that is aborted rejects with ABORTED and the reason, and leaves nothing',
  },
  {
    what: 'a release does nothing',
    make: (client, path) => {
      return changedLeases(client, path, (lease) => ({ ...faceOf(lease), release: async () => undefined }))
    },
    caughtBy: 'a release passes the lock on, may be repeated, and leaves nothing',
  },
  {
    what: 'a lost lease does not say so',
    make: (client, path) => {
      return changedLeases(client, path, (lease) => ({ ...faceOf(lease), signal: new AbortController().signal }))
    },
    caughtBy: 'a holder that loses its session is told by its signal, and the lock goes on',
  },
  {
    what: 'a lease is lost with the connection',
    make: (client, path) => {
      return changedLeases(client, path, (lease) => {
        client.onState(({ status }) => {
          if (status === 'suspended') void lease.release()
        })
        return lease
      })
    },
    caughtBy: 'a connection that breaks for a moment costs neither the holder nor a waiter its place',
  },
]

const ELECTIONS: readonly Broken<ElectionSuiteOptions['makeElection']>[] = [
  {
    what: 'the first leader is told forever',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      let first: Awaited<ReturnType<TestedElection['leader']>> = null
      return changedElection(election, { leader: async () => (first ??= await election.leader()) })
    },
    caughtBy: 'everyone is told the same leader, and the next one when that resigns',
  },
  {
    what: 'a proclamation outlives its leader',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      let last: string | undefined
      return changedElection(election, {
        leader: async () => {
          const leader = await election.leader()
          last = leader?.data ?? last
          return leader === null ? null : { ...leader, data: last }
        },
      })
    },
    caughtBy: 'what a leader proclaims is told of it as long as it leads, and not of the next one',
  },
  {
    what: 'whoever led once may proclaim',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      const leader = async () => {
        const found = await election.leader()
        const said = await client.get(`${path}-said`).catch(() => null)
        return found === null ? null : { ...found, data: said === null ? undefined : 'stale' }
      }
      const proclaim = async (data: string): Promise<void> => {
        await client.create(`${path}-said`, data)
      }
      return changedElection(election, {
        leader,
        campaign: async () => {
          const { token, signal, transferTo, resign } = await election.campaign()
          return { token, signal, transferTo, resign, proclaim }
        },
      })
    },
    caughtBy: 'a leader whose node somebody deleted proclaims nothing any more',
  },
  {
    what: 'a transfer is a resignation',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      return changedElection(election, {
        campaign: async () => {
          const leadership = await election.campaign()
          const { token, signal } = leadership
          const resign = (): Promise<void> => leadership.resign()
          const transferTo = async (other: string): Promise<boolean> => {
            const isThere = (await election.candidates()).some((candidate) => candidate.id === other)
            if (!isThere) return leadership.transferTo(other)
            await resign()
            return true
          }
          return { token, signal, resign, transferTo, proclaim: (data) => leadership.proclaim(data) }
        },
      })
    },
    caughtBy: 'a leader hands over to whom it names, past those who came before',
  },
  {
    what: 'a watch tells one state',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      async function* once(): AsyncGenerator<{ leader: Awaited<ReturnType<TestedElection['leader']>> }> {
        for await (const { leader } of election.watch()) {
          yield { leader }
          return
        }
      }
      return changedElection(election, { watch: once })
    },
    caughtBy: 'whoever watches is told the leaders one after the other',
  },
  {
    what: 'a run leads once',
    make: (client, path, id) => {
      const election = new LeaderElection<string>(client, path, { id })
      return changedElection(election, {
        run: async (work, { signal }) => {
          await using leadership = await election.campaign({ signal })
          await work(leadership, leadership.signal)
        },
      })
    },
    caughtBy: 'a run leads again on its next session, and ends with its signal',
  },
]

const CONFIGS: readonly Broken<ConfigSuiteOptions['makeConfig']>[] = [
  {
    what: 'versions are not compared',
    make: (client, path, schema) => {
      const center = new ConfigCenter(client, path, { schema })
      return changedConfig(center, { publish: (value) => center.publish(value, { force: true }) })
    },
    caughtBy: 'of several writers that count by compare-and-set no increment is lost',
  },
  {
    what: 'an update writes over what it has not seen',
    make: (client, path, schema) => {
      const center = new ConfigCenter(client, path, { schema })
      const update: TestedConfig['update'] = async (change) => {
        const value = change((await center.get()) ?? null)
        return { value, ...(await center.publish(value, { force: true })) }
      }
      return changedConfig(center, { update })
    },
    caughtBy: 'of several writers that count by updates no increment is lost, and each is told what it has stored',
  },
  {
    what: 'nothing is validated',
    make: (client, path) => new ConfigCenter<number>(client, path),
    caughtBy: 'a value that the schema refuses is not written',
  },
  {
    what: 'an old value is told again',
    make: (client, path, schema) => {
      const center = new ConfigCenter(client, path, { schema })
      return changedConfig(center, {
        subscribe: (listener) => {
          const told: Parameters<typeof listener>[0][] = []
          return center.subscribe((change) => {
            told.push(change)
            for (const again of told) listener(again)
          })
        },
      })
    },
    caughtBy: 'every subscriber ends at the last value, and none goes back to an older write',
  },
  {
    what: 'staleness is not told',
    make: (client, path, schema) => changedConfig(new ConfigCenter(client, path, { schema }), { stale: false }),
    caughtBy:
      'while the connection is broken the last value stays in force and says that it is stale; then it catches up',
  },
  {
    what: 'a subscription ends with its session',
    make: (client, path, schema) => {
      const center = new ConfigCenter(client, path, { schema })
      client.onState(({ status }) => {
        if (status === 'expired') void center.close()
      })
      return center
    },
    caughtBy: 'a subscriber outlives its session',
  },
]

const GROUPS: readonly Broken<MembershipSuiteOptions['makeGroup']>[] = [
  {
    what: 'an id can be taken twice',
    make: (client, path) => {
      const group = new GroupMembership<string>(client, path)
      const twin = { incarnation: 1n, state: 'joined', update: async () => undefined, leave: async () => undefined }
      const join: TestedGroup['join'] = (id, options) => group.join(id, options).catch(() => twin)
      return { join, members: () => group.members(), subscribe: (listener) => group.subscribe(listener) }
    },
    caughtBy: 'an id that is taken is refused and its member left alone; it is free when that has left',
  },
  {
    what: 'a member does not come back',
    make: (client, path) => {
      const group = new GroupMembership<string>(client, path)
      client.onState(({ status }) => {
        if (status === 'expired') void group.close()
      })
      return group
    },
    caughtBy: 'a member that lost its session registers again by itself, with a greater incarnation',
  },
  {
    what: 'an update is told as a leave and a join',
    make: (client, path) => {
      const group = new GroupMembership<string>(client, path)
      const subscribe: TestedGroup['subscribe'] = (listener) => {
        return group.subscribe(({ members, joined, left, updated }) => {
          listener({ members, joined: [...joined, ...updated], left: [...left, ...updated], updated: [] })
        })
      }
      return { join: (id, options) => group.join(id, options), members: () => group.members(), subscribe }
    },
    caughtBy: 'an update is told as one, and not as a leave and a join',
  },
  {
    what: 'a leave is not told',
    make: (client, path) => {
      const group = new GroupMembership<string>(client, path)
      const subscribe: TestedGroup['subscribe'] = (listener) => {
        return group.subscribe((change) => {
          listener({ ...change, left: [] })
        })
      }
      return { join: (id, options) => group.join(id, options), members: () => group.members(), subscribe }
    },
    caughtBy: 'when all is quiet everyone has the same view, and every change on the way fits the one before',
  },
]

function freeLease(token: bigint): TestedLease {
  return { token, signal: new AbortController().signal, state: 'held', release: async () => undefined }
}

const sharedLeases = new WeakMap<Client, Promise<TestedLease>>()

/** The whole client holds, once and for all, and its tokens pretend to grow. */
function sharedLeaseOf(client: Client, path: string): () => Promise<TestedLease> {
  let token = 0n
  const lease = sharedLeases.get(client) ?? new FairLock(client, path).acquire()
  sharedLeases.set(client, lease)
  return async () => freeLease((await lease).token + token++)
}

/** A lease's members as a plain object that is as it is now. */
function faceOf(lease: TestedLease): TestedLease {
  const { token, signal } = lease
  return {
    token,
    signal,
    get state() {
      return lease.state
    },
    release: () => lease.release(),
  }
}

function changedLeases(client: Client, path: string, change: (lease: TestedLease) => TestedLease): TestedLock {
  const lock = new FairLock(client, path)
  return {
    acquire: async (options) => change(await lock.acquire(options)),
    tryAcquire: async () => {
      const lease = await lock.tryAcquire()
      return lease === null ? null : change(lease)
    },
  }
}

function changedElection(election: LeaderElection<string>, changes: Partial<TestedElection>): TestedElection {
  return {
    campaign: (options) => election.campaign(options),
    run: (work, options) => election.run(work, options),
    leader: () => election.leader(),
    candidates: () => election.candidates(),
    watch: () => election.watch(),
    ...changes,
  }
}

const HISTORIES: readonly Broken<ConfigHistorySuiteOptions['makeConfig']>[] = [
  {
    what: 'the value is written without its entry',
    make: (client, path) => {
      const plain = new ConfigCenter<number>(client, path)
      const publish: TestedConfigHistory['publish'] = (value, { force = false } = {}) => plain.publish(value, { force })
      return changedHistory(client, path, { publish })
    },
    caughtBy: 'each published value is listed with its version, author and comment, the newest first',
  },
  {
    what: 'values of others are not told',
    make: (client, path) => {
      const config = historyAt(client, path)
      const history: TestedConfigHistory['history'] = async () => {
        return (await config.history()).filter(({ version }) => version !== null)
      }
      return changedHistory(client, path, { history })
    },
    caughtBy: 'a value of a writer without history is listed, and recorded before the next one',
  },
  {
    what: 'a rollback encodes the value again, and forgets its comment',
    make: (client, path) => {
      const config = historyAt(client, path)
      const rollback: TestedConfigHistory['rollback'] = async (version) => {
        const entry = (await config.history()).find((one) => one.version === version)
        return config.publish(entry?.value ?? 0, { force: true })
      }
      return changedHistory(client, path, { rollback })
    },
    caughtBy: 'a rollback publishes the stored bytes of an older version again, with its comment',
  },
  {
    what: 'everything is kept',
    make: (client, path) => historyAt(client, path),
    caughtBy: 'no more entries are kept than may be, and always the newest',
  },
]

function historyAt(client: Client, path: string): ConfigCenter<number> {
  return new ConfigCenter<number>(client, path, { history: true })
}

function changedHistory(client: Client, path: string, changes: Partial<TestedConfigHistory>): TestedConfigHistory {
  const config = historyAt(client, path)
  return {
    get: () => config.get(),
    publish: (value, options) => config.publish(value, options),
    update: (change) => config.update(change),
    history: () => config.history(),
    rollback: (version, options) => config.rollback(version, options),
    ...changes,
  }
}

function changedConfig(center: TestedConfig, changes: Partial<TestedConfig>): TestedConfig {
  const face: TestedConfig = {
    get current() {
      return center.current
    },
    get version() {
      return center.version
    },
    get stale() {
      return center.stale
    },
    ready: () => center.ready(),
    get: () => center.get(),
    publish: (value, options) => center.publish(value, options),
    update: (change) => center.update(change),
    subscribe: (listener) => center.subscribe(listener),
    watch: (options) => center.watch(options),
    onInvalid: (listener) => center.onInvalid(listener),
    close: () => center.close(),
  }
  return Object.defineProperties(face, Object.getOwnPropertyDescriptors(changes))
}

const soundLock: LockSuiteOptions['makeLock'] = (client, path) => new FairLock(client, path)
const soundElection: ElectionSuiteOptions['makeElection'] = (client, path, id) => {
  return new LeaderElection<string>(client, path, { id })
}
const soundConfig: ConfigSuiteOptions['makeConfig'] = (client, path, schema) => {
  return new ConfigCenter(client, path, { schema })
}
const soundHistory: ConfigHistorySuiteOptions['makeConfig'] = (client, path, entriesMax) => {
  return new ConfigCenter<number>(client, path, { history: { entriesMax } })
}
const soundGroup: MembershipSuiteOptions['makeGroup'] = (client, path) => new GroupMembership<string>(client, path)

bites('lock', LOCKS, soundLock, (engine, makeLock) => {
  return collectedCases((runner) => {
    lockSuite(runner, { ...engine, makeLock })
  })
})
bites('leader election', ELECTIONS, soundElection, (engine, makeElection) => {
  return collectedCases((runner) => {
    electionSuite(runner, { ...engine, makeElection })
  })
})
bites('configuration', CONFIGS, soundConfig, (engine, makeConfig) => {
  return collectedCases((runner) => {
    configSuite(runner, { ...engine, makeConfig })
  })
})
bites('history', HISTORIES, soundHistory, (engine, makeConfig) => {
  return collectedCases((runner) => {
    configHistorySuite(runner, { ...engine, makeConfig })
  })
})
bites('group', GROUPS, soundGroup, (engine, makeGroup) => {
  return collectedCases((runner) => {
    membershipSuite(runner, { ...engine, makeGroup })
  })
})
