/** Where a process of ours and one with Curator meet: on ZooKeeper's servers, and on ours. */
import { afterAll, beforeAll, describe } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { reasonToSkip } from '../engines/process.ts'
import { startPartner } from './partner.ts'
import type { Actor, Partner } from './partner.ts'
import { PROGRAM_TEST_MS_MAX, hasCurator, java } from './programs.ts'
import { SERVERS_OF_EACH_KIND, SESSION_TIMEOUT_MS } from './servers.ts'
import type { MeetingPlace } from './servers.ts'

const WAIT_MS = 30_000
/** As long as anybody may have to wait for the other. */
export const WAIT = { waitMs: WAIT_MS }

/** Where both are. */
export interface Meeting {
  /** Whose servers these are. */
  readonly servers: string
  readonly client: Client
  readonly connectString: string
  readonly curator: (name: string) => Actor
}

/** Registers tests of which each runs on every kind of servers. */
export function describeMeetings(register: (meet: () => Meeting) => void): void {
  const noCurator = reasonToSkip('Curator', hasCurator)
  for (const { name, why, start } of SERVERS_OF_EACH_KIND) {
    const skip = why ?? noCurator
    const title = `on ${name}${skip === null ? '' : ` (skipped: ${skip})`}`
    describe.skipIf(skip !== null)(title, { timeout: PROGRAM_TEST_MS_MAX }, () => {
      let servers: MeetingPlace | undefined
      let program: Partner | undefined
      let client: Client | undefined
      beforeAll(async () => {
        servers = await start()
        program = startPartner(java('CuratorPartner.java'), [servers.connectString])
        client = await connect(zookeeper(servers.connectString, { sessionTimeoutMs: SESSION_TIMEOUT_MS }))
      }, PROGRAM_TEST_MS_MAX)
      afterAll(async () => {
        await client?.close()
        await program?.[Symbol.asyncDispose]()
        await servers?.stop()
      })
      register(() => {
        if (servers === undefined || client === undefined || program === undefined) throw new Error('they have not met')
        return { servers: name, client, connectString: servers.connectString, curator: program.actor }
      })
    })
  }
}

/** Waits until something is true that the other process brings about. */
export async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
