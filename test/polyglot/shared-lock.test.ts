/** One lock for processes in TypeScript, Java and Python, on ZooKeeper's servers and on ours. */
import { afterAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { connect } from '../../src/core/connect.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import type { LockLayout } from '../../src/recipes/engine/lock-names.ts'
import { reasonToSkip } from '../engines/process.ts'
import { PROGRAM_TEST_MS_MAX, hasCurator, hasKazoo, java, python, run } from './programs.ts'
import type { Asks } from './programs.ts'
import { SERVERS_OF_EACH_KIND, SESSION_TIMEOUT_MS } from './servers.ts'

const ROUNDS = 15

/** A resource that the lock guards: it knows who is in, and who ever was. Nobody begins before everybody is ready. */
class Room {
  readonly entered: string[] = []
  readonly overlaps: string[] = []
  readonly #inside = new Set<string>()
  readonly #ready: Promise<void>
  #open!: () => void
  #missing: number

  constructor(parties: number) {
    this.#missing = parties
    this.#ready = new Promise((resolve) => (this.#open = resolve))
  }

  ready(): Promise<void> {
    this.#missing -= 1
    if (this.#missing === 0) this.#open()
    return this.#ready
  }

  enter(who: string): void {
    this.entered.push(who)
    if (this.#inside.size > 0) this.overlaps.push(`${who} met ${[...this.#inside].join(', ')}`)
    this.#inside.add(who)
  }

  leave(who: string): void {
    this.#inside.delete(who)
  }

  get asks(): Asks {
    return {
      ready: () => this.ready(),
      enter: (who) => {
        this.enter(who)
      },
      leave: (who) => {
        this.leave(who)
      },
    }
  }

  /** How often each was in. */
  get rounds(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const who of this.entered) counts[who] = (counts[who] ?? 0) + 1
    return counts
  }
}

async function takeTurns(servers: string, path: string, layout: LockLayout, room: Room): Promise<void> {
  await using client = await connect(zookeeper(servers, { sessionTimeoutMs: SESSION_TIMEOUT_MS }))
  const lock = new FairLock(client, path, { layout })
  await room.ready()
  for (let round = 0; round < ROUNDS; round += 1) {
    await using _lease = await lock.acquire()
    room.enter('quorate')
    await new Promise((resolve) => setTimeout(resolve, 1))
    room.leave('quorate')
  }
}

const noKazoo = reasonToSkip('kazoo', hasKazoo)
const noCurator = reasonToSkip('Curator', hasCurator)
for (const { name, why, start } of SERVERS_OF_EACH_KIND) {
  const noServers = why ?? noKazoo
  const skipped = noServers === null ? '' : ` (skipped: ${noServers})`
  describe.skipIf(noServers !== null)(`one lock on ${name}${skipped}`, () => {
    let started: ReturnType<typeof start> | null = null
    const servers = async (): Promise<string> => (await (started ??= start())).connectString
    afterAll(async () => (await started)?.stop())

    it('is shared with kazoo, by its names', { timeout: PROGRAM_TEST_MS_MAX }, async () => {
      const [at, path, room] = [await servers(), '/shared/kazoo', new Room(2)]
      await Promise.all([
        run(python('kazoo_lock.py'), [at, path, String(ROUNDS), 'kazoo'], room.asks),
        takeTurns(at, path, 'kazoo', room),
      ])
      expect(room.overlaps).toEqual([])
      expect(room.rounds).toEqual({ kazoo: ROUNDS, quorate: ROUNDS })
    })

    const without = noCurator === null ? '' : ` (skipped: ${noCurator})`
    const withCurator = it.skipIf(noCurator !== null)
    const withAll = `is shared with Curator and kazoo, by Curator's names${without}`
    withCurator(withAll, { timeout: PROGRAM_TEST_MS_MAX }, async () => {
      const [at, path, room] = [await servers(), '/shared/curator', new Room(3)]
      await Promise.all([
        run(java('CuratorLock.java'), [at, path, String(ROUNDS)], room.asks),
        run(python('kazoo_lock.py'), [at, path, String(ROUNDS), 'curator'], room.asks),
        takeTurns(at, path, 'curator', room),
      ])
      expect(room.overlaps).toEqual([])
      expect(room.rounds).toEqual({ curator: ROUNDS, kazoo: ROUNDS, quorate: ROUNDS })
    })
  })
}
