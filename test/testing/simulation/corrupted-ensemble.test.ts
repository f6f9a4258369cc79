/**
 * Every single byte of a small directory, corrupted, in an ensemble of three whose other servers are intact: it starts,
 * all three serve, and all of them have exactly what was there.
 *
 * Values    one bit of a byte is flipped, a different one from byte to byte. Every {@link STEP}th byte is looked at;
 *           with QUORATE_EVERY_CORRUPTION=1 each bit of every byte.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileDisk } from '../../../src/testing/simulation/file-disk.ts'
import { World } from '../../../src/testing/simulation/world.ts'
import type { WorldEvent } from '../../../src/testing/simulation/world.ts'

const EVERY = process.env['QUORATE_EVERY_CORRUPTION'] === '1'
const STEP = EVERY ? 1 : 29
const MASKS = [1, 2, 4, 8, 16, 32, 64, 128]
const DAMAGED = 3
/** Virtual time in which an ensemble has to serve as a whole, in milliseconds. */
const START_MS = 60_000
const FILES = { snapRetainCount: 2, preallocateBytes: 512, hasLogDirectory: false, shortWriteChance: 0 }

const world = new World({
  seed: 3, servers: 3, observers: 0, sessionTimeoutMs: 2_000, server: { snapCount: 6 }, files: FILES,
})
const { kernel, servers } = world
const contradictions: string[] = []
let restores: (() => void)[] = []
let intact: Uint8Array = new Uint8Array()

function diskOf(id: number): FileDisk {
  const { disk } = world.server(id)
  if (!(disk instanceof FileDisk)) throw new TypeError('a disk without files')
  return disk
}

function crashAll(): void {
  for (const { id } of servers) world.crash(id)
}

/** Starts all servers. */
async function start(): Promise<void> {
  for (const { id } of servers) world.start(id)
  const serve = (): boolean => servers.every(({ slot: { host } }) => host?.status().serving === true)
  if (!await kernel.run(kernel.nowMs + START_MS, serve)) throw new Error('an ensemble does not serve')
}

/** The tree of a server, without what each start adds to the log. */
function treeOf(id: number): Uint8Array {
  return world.server(id).slot.host?.snapshot() ?? new Uint8Array()
}

beforeAll(async () => {
  kernel.install()
  for (const { disk } of servers) {
    disk.observer = {
      persisted: () => undefined,
      wiped: () => undefined,
      contradicted: (what) => void contradictions.push(what),
    }
  }
  await start()
  let isDone = false
  world.addClient(async (client) => {
    for (const name of ['a', 'b', 'c']) await client.create(`/${name}`, name)
    for (let value = 0; value < 5; value++) await client.set('/a', `${value}`)
    await client.delete('/b')
    await client.close()
    isDone = true
  })
  await kernel.run(kernel.nowMs + START_MS, () => isDone)
  await kernel.run(kernel.nowMs + START_MS / 10)
  intact = treeOf(DAMAGED)
  // Once more, so that no file is in the state of a first start.
  crashAll()
  await start()
  crashAll()
  restores = servers.map(({ id }) => diskOf(id).save())
})

afterAll(() => {
  kernel.uninstall()
})

describe('an ensemble of three in which one byte of one server is wrong', () => {
  it('has a state to lose', () => {
    expect(Buffer.from(intact).toString('latin1')).toContain('/a')
  })

  it('serves with all three as if nothing had been', async () => {
    const sizes = diskOf(DAMAGED).fileSizes()
    const wrong: string[] = []
    const counts = { intact: 0, repaired: 0 }
    let turn = 0
    for (const [file, size] of sizes.entries()) {
      for (let at = file % STEP; at < size; at += STEP) {
        for (const mask of EVERY ? MASKS : [MASKS[turn++ % MASKS.length] ?? 1]) {
          for (const restore of restores) restore()
          const place = diskOf(DAMAGED).rot({ file: (file + 0.5) / sizes.length, byte: (at + 0.5) / size, mask })
          const seen: WorldEvent['event'][] = []
          world.watchers.splice(0, Infinity, ({ server, event }) => {
            if (server === DAMAGED) seen.push(event)
          })
          await start()
          const isSame = servers.every(({ id }) => Buffer.from(treeOf(id)).equals(intact))
          if (!isSame) wrong.push(`${place}, mask ${mask}`)
          counts[seen.some(({ type }) => type === 'set-aside') ? 'repaired' : 'intact'] += 1
          crashAll()
        }
      }
    }
    if (EVERY) process.stdout.write(`corruptions in an ensemble: ${JSON.stringify(counts)}\n`)
    expect(wrong).toEqual([])
    expect(contradictions).toEqual([])
    expect(counts.repaired).toBeGreaterThan(counts.intact / 10)
  }, EVERY ? 14_400_000 : 120_000)
})
