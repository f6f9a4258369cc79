/**
 * A hostile client costs the others nothing. `FUZZ_INPUTS=2000000` makes a long run of it.
 */
import { afterEach, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../../../src/backends/embedded/index.ts'
import { CreateFlag, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { LoopMonitor, bytesInUse } from '../loop-monitor.ts'
import { RawClient } from './raw-client.ts'
import { FUZZ_ROOT, sendBatch } from '../../../../../fuzz/targets/hostile-requests.ts'

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 10_000)
const RUN_MS_MAX = INPUTS <= 10_000 ? 60_000 : 1_800_000
const FIRST_SEED = Number(process.env['FUZZ_SEED'] ?? 1)
const TURN_MS_MAX = 200
const GROWTH_BYTES_MAX = 8 * 1024 * 1024
const AT_ONCE = 64
/** The polite client looks after the tree this often. */
const ROUNDS_BETWEEN_CLEANUPS = 4
const MINE = '/polite'

let ensemble: Ensemble | null = null
const failures: unknown[] = []

afterEach(async () => {
  await ensemble?.close()
})

it.each([1, 3])('fuzzed requests do no harm to a polite client of %i servers', async (servers) => {
  failures.length = 0
  ensemble = embedded({
    servers,
    clientPorts: Array.from({ length: servers }, () => 0),
    maxClientCnxns: 0,
    snapCount: 1_000,
    onError: (error) => failures.push(error),
    onClientError: (error) => failures.push(error),
  })
  await ensemble.start()
  const port = ensemble.clientPorts[servers - 1] ?? 0
  const polite = await RawClient.open(port)
  await polite.ask(OpCode.create, { path: MINE, data: null, acl: OPEN_ACL, flags: CreateFlag.ephemeral })
  const share = INPUTS / 2
  const watch = new LoopMonitor()
  let seed = FIRST_SEED
  let inputs = 0
  let rounds = 0
  let bytesAfterWarmUp = 0
  const isHarmless = async (): Promise<void> => {
    const written = await polite.ask(OpCode.setData, { path: MINE, data: Uint8Array.of(inputs % 256), version: -1 })
    expect(written).toMatchObject({ err: 0 })
    expect(failures).toEqual([])
    rounds += 1
    if (rounds % ROUNDS_BETWEEN_CLEANUPS === 0) await cleanUp(polite)
  }
  while (inputs < share) {
    const batches = Array.from({ length: AT_ONCE }, () => sendBatch(port, seed++))
    for (const count of await Promise.all(batches)) inputs += count
    await isHarmless()
    expect(watch.longestTurnMs).toBeLessThan(TURN_MS_MAX)
    if (bytesAfterWarmUp !== 0 || inputs < share / 2) continue
    bytesAfterWarmUp = bytesInUse()
    watch.reset()
  }
  watch.stop()
  const grownBytes = bytesInUse() - bytesAfterWarmUp
  expect(polite.isClosed).toBe(false)
  expect(ensemble.status().every((status) => status.serving)).toBe(true)
  const report = { servers, inputs, batches: seed - FIRST_SEED, longestTurnMs: watch.longestTurnMs, grownBytes }
  if (INPUTS > 10_000) process.stdout.write(`${JSON.stringify(report)}\n`)
  expect(grownBytes).toBeLessThan(GROWTH_BYTES_MAX)
  await polite.drop()
}, RUN_MS_MAX)

/** Takes away what the fuzzed requests have made, as far as nobody else owns it. */
async function cleanUp(polite: RawClient): Promise<void> {
  for (const root of [FUZZ_ROOT, '/']) {
    const listed = await polite.ask(OpCode.getChildren, { path: root, watch: false })
    if (listed.body === null || !('children' in listed.body)) continue
    const isOurs = (path: string): boolean => path !== MINE && path !== '/zookeeper'
    const paths = listed.body.children.map((name) => (root === '/' ? `/${name}` : `${root}/${name}`))
    for (const path of paths.filter(isOurs)) await polite.ask(OpCode.delete, { path, version: -1 })
  }
}
