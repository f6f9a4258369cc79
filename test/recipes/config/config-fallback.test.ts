/** A process that starts while no server answers: the copy of the last good value, and the file beside it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import type { ConfigCenterOptions } from '../../../src/recipes/config/config-center.ts'
import type { CopyStore } from '../../../src/recipes/config/last-copy.ts'
import { closeAll, codeOf, failureOf, newRig, pass, run, stateOf, useVirtualTime } from '../rig.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/config/pricing'
const FALL_BACK_MS = 3_000
const schema = z.object({ rate: z.number().positive() })

interface Pricing {
  rate: number
}

/** A copy in memory, whose saves can be late or fail. */
class MemoryCopy implements CopyStore {
  readonly name = 'memory'
  bytes: Uint8Array | null = null
  saves = 0
  loads = 0
  failure: Error | null = null
  saveMs = 0

  async load(): Promise<Uint8Array | null> {
    this.loads += 1
    if (this.failure !== null) throw this.failure
    return this.bytes
  }

  async save(bytes: Uint8Array | null): Promise<void> {
    this.saves += 1
    if (this.saveMs > 0) await new Promise((resolve) => setTimeout(resolve, this.saveMs))
    if (this.failure !== null) throw this.failure
    this.bytes = bytes
  }
}

let folder = ''
let copy = new MemoryCopy()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-fallback-'))
  copy = new MemoryCopy()
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function center(client: Client, more: ConfigCenterOptions<Pricing, undefined> = {}): ConfigCenter<Pricing> {
  return new ConfigCenter(client, PATH, { schema, cacheTo: copy, ...more })
}

/** Stores a value, and leaves its copy. */
async function leaveCopy(rig: Rig, rate = 1): Promise<void> {
  const client = await rig.connect()
  const config = center(client)
  await run(config.publish({ rate }, { force: true }))
  await pass(100)
  expect(await closeAll(rig, client)).toEqual([])
}

/** A client of servers that do not answer, until they do. */
async function cutOff(rig: Rig): Promise<{ readonly client: Client; readonly heal: () => void }> {
  const heal = rig.control.onRequest(() => 'lose-before')
  const client = await rig.connect({ operationTimeoutMs: 1_000 })
  return { client, heal }
}

it('begins with the copy while no server answers, says so, and goes on with what the servers have', async () => {
  const rig = newRig()
  await leaveCopy(rig)
  const { client, heal } = await cutOff(rig)
  const config = center(client)
  const told: unknown[] = []
  config.subscribe(({ value, source }) => void told.push([value?.rate, source]))
  await pass(FALL_BACK_MS - 1)
  expect([config.current, config.source]).toEqual([undefined, undefined])
  expect(await run(config.ready())).toEqual({ rate: 1 })
  expect([config.current, config.version, config.source, config.stale]).toEqual([{ rate: 1 }, 0, 'cache', true])
  heal()
  await pass(2_000)
  expect([config.current, config.source, config.stale]).toEqual([{ rate: 1 }, 'servers', false])
  expect(told).toEqual([[1, 'cache'], [1, 'servers']])
  expect(await closeAll(rig, client)).toEqual([])
})

it('never begins with an old copy where the servers answer', async () => {
  const rig = newRig()
  await leaveCopy(rig)
  const other = await rig.connect()
  const writer = new ConfigCenter<Pricing>(other, PATH)
  await run(writer.publish({ rate: 2 }))
  const client = await rig.connect()
  const config = center(client)
  const told: unknown[] = []
  config.subscribe(({ value }) => void told.push(value?.rate))
  await pass(2 * FALL_BACK_MS)
  expect([told, config.source, copy.loads]).toEqual([[2], 'servers', 0])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('refuses a publish from a copy that is not the stored value any more', async () => {
  const rig = newRig()
  await leaveCopy(rig)
  const other = await rig.connect()
  await run(new ConfigCenter<Pricing>(other, PATH).publish({ rate: 2 }))
  const { client, heal } = await cutOff(rig)
  const config = center(client)
  await run(config.ready())
  const publishing = failureOf(config.publish({ rate: 3 }))
  heal()
  expect(codeOf(await publishing)).toBe('BAD_VERSION/rejected')
  await pass(2_000)
  expect(config.current).toEqual({ rate: 2 })
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('keeps the copy while what the servers have does not pass, and not after the value was deleted', async () => {
  const rig = newRig()
  await leaveCopy(rig)
  const other = await rig.connect()
  await run(other.set(PATH, '{"rate":-1}'))
  const { client, heal } = await cutOff(rig)
  const config = center(client)
  await run(config.ready())
  heal()
  await pass(2_000)
  expect([config.current, config.source]).toEqual([{ rate: 1 }, 'cache'])
  expect(rig.errors.map(codeOf)).toContain('INVALID_VALUE/corrupt')
  await run(other.delete(PATH))
  await pass(100)
  expect([config.current, config.source, copy.bytes]).toEqual([undefined, 'none', null])
  await run(other.create(PATH, '{"rate":-1}'))
  await pass(100)
  expect(config.current).toBeUndefined()
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('saves one copy at a time, and of those that wait only the last; close waits for it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  copy.saveMs = 500
  const config = center(client)
  for (const rate of [1, 2, 3, 4]) {
    await run(config.publish({ rate }))
    await pass(50)
  }
  expect(await closeAll(rig, client)).toEqual([])
  expect(copy.saves).toBe(2)
  expect(new TextDecoder().decode(copy.bytes ?? new Uint8Array())).toContain('{"rate":4}')
})

it('reports a copy that cannot be saved, serves on, and saves again with the next change', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const config = center(client)
  await run(config.ready())
  copy.failure = new Error('the disk is full')
  await run(config.publish({ rate: 1 }))
  await pass(100)
  // Once for the write, and once more when it was read back.
  expect(rig.errors.map(codeOf)).toEqual(['SYSTEM_ERROR/not-sent', 'SYSTEM_ERROR/not-sent'])
  expect(String(rig.errors[0])).toContain(`the copy of ${PATH} in memory was not saved: the disk is full`)
  expect(config.current).toEqual({ rate: 1 })
  copy.failure = null
  await run(config.publish({ rate: 2 }))
  await pass(100)
  expect(new TextDecoder().decode(copy.bytes ?? new Uint8Array())).toContain('{"rate":2}')
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([
  ['is cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 3), 'its checksum is wrong'],
  ['has another byte', (bytes: Buffer) => bytes.fill('9', bytes.length - 2), 'its checksum is wrong'],
  ['is of somebody else', () => Buffer.from('[settings]\nrate = 5\n'), 'it is no copy of a configuration'],
  ['is empty', () => Buffer.alloc(0), 'it is no copy of a configuration'],
])('passes over a copy that %s, and says why', async (_what, change, reason) => {
  const rig = newRig()
  await leaveCopy(rig)
  copy.bytes = change(Buffer.from(copy.bytes ?? []))
  const { client, heal } = await cutOff(rig)
  const config = center(client)
  await pass(2 * FALL_BACK_MS)
  expect(config.current).toBeUndefined()
  expect(await stateOf(config.ready().catch(() => undefined))).toBe('pending')
  const told = `the copy of ${PATH} in memory is not used: ${reason}`
  expect(rig.errors.map(String)).toContainEqual(expect.stringContaining(told))
  heal()
  await pass(2_000)
  expect(config.current).toEqual({ rate: 1 })
  expect(await closeAll(rig, client)).toEqual([])
})

it('passes over the copy of another value, of another format, and one that does not pass the schema', async () => {
  const rig = newRig()
  await leaveCopy(rig)
  const { client, heal } = await cutOff(rig)
  const codec = { format: 'csv', encode: () => new Uint8Array(1), decode: () => ({ rate: 7 }) }
  const centers = [
    new ConfigCenter(client, '/config/other', { cacheTo: copy }),
    center(client, { codec }),
    center(client, { schema: z.object({ rate: z.number().min(50) }) }),
  ]
  await pass(2 * FALL_BACK_MS)
  expect(centers.map(({ current }) => current)).toEqual([undefined, undefined, undefined])
  const reasons = rig.errors.map(String).join('\n')
  expect(reasons).toContain(`it is of "${PATH}" of the namespace "/"`)
  expect(reasons).toContain('its format is "json", and not "csv"')
  expect(reasons).toContain(`invalid value for ${PATH} in its copy`)
  heal()
  await pass(2_000)
  expect(await closeAll(rig, client)).toEqual([])
})

it('begins with the file if there is no copy, and tells of one that is missing or does not pass', async () => {
  const rig = newRig()
  const { client, heal } = await cutOff(rig)
  const file = join(folder, 'pricing.json')
  writeFileSync(file, '{"rate": 5}')
  const config = center(client, { loadFrom: file, fallBackMs: 100 })
  expect(await run(config.ready())).toEqual({ rate: 5 })
  expect([config.source, config.version]).toEqual(['file', null])
  writeFileSync(file, '{"rate": 0}')
  const others = [file, join(folder, 'missing.json')].map((loadFrom) => center(client, { loadFrom, fallBackMs: 100 }))
  const told = (): string => rig.errors.map(String).join('\n')
  const isTold = (): boolean => told().includes(`in ${file}`) && told().includes('no such file')
  // The files are read in real time.
  for (let tries = 0; tries < 4_000 && !isTold(); tries += 1) await pass(1)
  expect(others.map(({ current }) => current)).toEqual([undefined, undefined])
  expect(told()).toContain(`invalid value for ${PATH} in ${file}`)
  expect(told()).toContain('missing.json" is not used for /config/pricing: there is no such file')
  heal()
  await pass(2_000)
  expect([config.current, config.source]).toEqual([undefined, 'none'])
  expect(readFileSync(file, 'utf8')).toBe('{"rate": 0}')
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses wrong options, with their names', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const wrong: readonly [object, string][] = [
    [{ cacheTo: '' }, 'cacheTo must be a string that is not empty'],
    [{ cacheTo: 5 }, 'cacheTo must be the name of a file'],
    [{ cacheTo: { load: () => null } }, 'cacheTo.save must be a function'],
    [{ loadFrom: 5 }, 'loadFrom must be a string'],
    [{ cacheTo: 'a', fallBackMs: -1 }, 'fallBackMs must be more than 0'],
    [{ fallBackMs: 5 }, 'fallBackMs needs cacheTo or loadFrom'],
  ]
  for (const [options, message] of wrong) {
    expect(() => new ConfigCenter(client, PATH, options)).toThrow(message)
  }
  expect(await closeAll(rig, client)).toEqual([])
})
