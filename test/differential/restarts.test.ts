/**
 * The same random programs on a real ZooKeeper and on ours, both with their data on disk and both restarted between
 * the parts of the programs, by `SIGTERM` and by `SIGKILL`: no difference in answers, trees, stats and lists.
 *
 * Use       QUORATE_DIFFERENTIAL_RESTARTS=100 QUORATE_DIFFERENTIAL_FIRST_SEED=5000 npx vitest run \
 *             test/differential/restarts.test.ts
 *           runs so many programs, a few per pair of servers. 4 by default.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { compiledPackage } from '../engines/quorate-server.ts'
import type { CompiledPackage } from '../engines/quorate-server.ts'
import { reasonToSkipZooKeeper } from '../engines/zookeeper.ts'
import { Chance } from './chance.ts'
import { describeDifference, firstDifference } from './comparison.ts'
import { startDurable, startReal } from './engines.ts'
import type { DurableServer, Ending } from './engines.ts'
import { hasQuota, programOf } from './generator.ts'
import { transcriptsAcross } from './restarts.ts'

const PROGRAMS = Number(process.env['QUORATE_DIFFERENTIAL_RESTARTS'] ?? 4)
const FIRST_SEED = Number(process.env['QUORATE_DIFFERENTIAL_FIRST_SEED'] ?? 0)
/** So many programs share the restarts of a pair. */
const TOGETHER = 4
const STEPS = 120
/** For one pair, far above what it takes, in milliseconds. */
const PAIR_MS_MAX = 120_000

const skip = reasonToSkipZooKeeper()
const seeds = Array.from({ length: 2 * PROGRAMS }, (_, index) => FIRST_SEED + index)
  .filter((seed) => !hasQuota(seed))
  .slice(0, PROGRAMS)
const groups = Array.from({ length: Math.ceil(PROGRAMS / TOGETHER) }, (_, index) => {
  return seeds.slice(TOGETHER * index, TOGETHER * (index + 1))
})

let compiled: CompiledPackage
const servers: DurableServer[] = []

beforeAll(() => {
  compiled = compiledPackage()
})

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

afterAll(() => {
  compiled.remove()
})

/** Both kinds of ends, in some order. */
function endingsOf(seed: number): readonly Ending[] {
  return new Chance(seed).is(0.5) ? ['SIGTERM', 'SIGKILL'] : ['SIGKILL', 'SIGTERM']
}

describe.skipIf(skip !== null)(`random programs across restarts${skip === null ? '' : ` (${skip})`}`, () => {
  it.each(groups)('get the same answers from a real server and from ours: seeds %i, ...', async (...group) => {
    const programs = group.map((seed) => programOf(seed, STEPS))
    const endings = endingsOf(group[0] ?? 0)
    servers.push(...await Promise.all([startReal(), startDurable(compiled)]))
    const [real = [], ours = []] = await Promise.all(servers.map((each) => transcriptsAcross(programs, endings, each)))
    for (const [index, program] of programs.entries()) {
      const found = firstDifference(program, [real[index] ?? [], ours[index] ?? []])
      if (found !== null) expect.fail(describeDifference(found, ['real', 'ours']))
      expect(real[index]?.length).toBeGreaterThan(program.steps.length)
    }
  }, PAIR_MS_MAX)
})
