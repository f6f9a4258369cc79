/**
 * A server with a data directory that is killed in the middle of its work, again and again.
 *
 * Checked   after each start, every write that was acknowledged is there, with the value that was written last; and a
 *           write that was under way is there or not, as a whole.
 */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { ProgramRig, START_MS_MAX, addressOf } from './program-rig.ts'
import type { Program } from './program-rig.ts'

const KILLS = 25
const WRITERS = 8
const LOAD_MS_MAX = 400
const TEST_MS_MAX = 240_000

const rig = new ProgramRig()
/** By path, the last value that was acknowledged, and the one that was under way. */
const written = new Map<string, { acknowledged: number; sent: number }>()

beforeAll(() => rig.start(), START_MS_MAX)
afterEach(() => rig.clear())
afterAll(() => rig.close())

async function serverOn(folder: string): Promise<Program> {
  const server = rig.quorate({}, 'server', '--client-port=0', '--data-dir', folder)
  await server.printed(/\n/)
  return server
}

/** Writes greater and greater numbers until the client is closed. */
async function write(client: Client, path: string): Promise<void> {
  for (;;) {
    const state = written.get(path) ?? { acknowledged: -1, sent: -1 }
    written.set(path, state)
    state.sent += 1
    try {
      if (state.sent === 0) await client.create(path, '0')
      else await client.set(path, String(state.sent))
    } catch {
      return
    }
    state.acknowledged = state.sent
  }
}

async function check(client: Client, kill: number): Promise<void> {
  for (const [path, state] of written) {
    const found = await client.get(path).catch(() => null)
    const value = found === null ? -1 : Number(new TextDecoder().decode(found.data))
    const where = `${path} after kill ${kill}: acknowledged ${state.acknowledged}, sent ${state.sent}`
    expect(value, where).toBeGreaterThanOrEqual(state.acknowledged)
    expect(value, where).toBeLessThanOrEqual(state.sent)
    state.acknowledged = value
    state.sent = value
  }
}

it('loses nothing that it acknowledged, whenever it is killed', async () => {
  const folder = join(rig.folder, 'killed')
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await serverOn(folder)
    const client = await connect(zookeeper(addressOf(server)), { onError: () => undefined })
    await check(client, kill)
    const writing = Promise.all(Array.from({ length: WRITERS }, (_, i) => write(client, `/writer-${i}`)))
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * LOAD_MS_MAX))
    server.child.kill('SIGKILL')
    await server.ended
    await client.close()
    await writing
  }
  const acknowledged = [...written.values()].reduce((sum, state) => sum + state.acknowledged, 0)
  expect(acknowledged).toBeGreaterThan(KILLS * WRITERS)
}, TEST_MS_MAX)
