/**
 * The same random programs on a real ZooKeeper and on ours, and no difference.
 *
 * Use       QUORATE_DIFFERENTIAL_SEEDS=1000 QUORATE_DIFFERENTIAL_FIRST_SEED=5000 npx vitest run test/differential
 *           A difference is printed with the smallest program found that shows it, and with both transcripts.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { reasonToSkipZooKeeper } from '../engines/zookeeper.ts'
import { describeDifference, differenceOf, shrunk } from './comparison.ts'
import type { Pair } from './comparison.ts'
import { startOurs, startReal } from './engines.ts'
import type { TargetServer } from './engines.ts'
import { programOf } from './generator.ts'
import { Janitor } from './janitor.ts'

const SEEDS = Number(process.env['QUORATE_DIFFERENTIAL_SEEDS'] ?? 100)
const FIRST_SEED = Number(process.env['QUORATE_DIFFERENTIAL_FIRST_SEED'] ?? 0)
const STEPS = 250
/** A seed whose program soon makes a node with a time to live. */
const CREATES_TTL_SEED = 1
const FEW_STEPS = 30
/** How many seeds show that the comparison itself sees no difference where there is none. */
const SOUND_SEEDS = 10
/** Far above what they take, in milliseconds. */
const SEED_MS_MAX = 5_000
const START_AND_SHRINK_MS_MAX = 180_000

const skip = reasonToSkipZooKeeper()

const servers: TargetServer[] = []
const janitors: Janitor[] = []

afterEach(async () => {
  for (const janitor of janitors.splice(0)) janitor.close()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

type Start = () => Promise<TargetServer>

async function pairOf(left: Start, right: Start): Promise<Pair> {
  for (const start of [left, right]) servers.push(await start())
  for (const { port } of servers) janitors.push(await Janitor.open(port))
  return [janitors[0] as Janitor, janitors[1] as Janitor]
}

async function expectNoDifference(seeds: number, pair: Pair, names: readonly [string, string]): Promise<void> {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed++) {
    const found = await differenceOf(programOf(seed, STEPS), pair).catch((error: unknown) => {
      const outputs = servers.map((server) => server.output()).join('\n')
      throw new Error(`the run of seed ${seed} ends early: ${outputs}`, { cause: error })
    })
    if (found !== null) expect.fail(describeDifference(await shrunk(found, pair), names))
  }
  console.log(`${names.join(' and ')}: seeds ${FIRST_SEED} to ${FIRST_SEED + seeds - 1}, ${STEPS} steps each`)
}

describe.skipIf(skip !== null)(`random programs${skip === null ? '' : ` (${skip})`}`, () => {
  const soundMs = SEED_MS_MAX * SOUND_SEEDS + START_AND_SHRINK_MS_MAX
  it('get the same answers from two real servers', { timeout: soundMs }, async () => {
    await expectNoDifference(SOUND_SEEDS, await pairOf(startReal, startReal), ['real', 'another real'])
  })

  const allMs = SEED_MS_MAX * SEEDS + START_AND_SHRINK_MS_MAX
  it('get the same answers from a real server and from ours', { timeout: allMs }, async () => {
    await expectNoDifference(SEEDS, await pairOf(startReal, startOurs), ['real', 'ours'])
  })
})

describe('the comparison', () => {
  it('finds a difference, and the small program that shows it', { timeout: START_AND_SHRINK_MS_MAX }, async () => {
    const pair = await pairOf(startOurs, () => startOurs({ extendedTypes: false }))
    const found = await differenceOf(programOf(CREATES_TTL_SEED, FEW_STEPS), pair)
    if (found === null) return expect.fail('no difference')
    const { program, at, transcripts } = await shrunk(found, pair)
    expect(program.steps.length).toBeLessThanOrEqual(3)
    expect(transcripts[0][at]?.step).toContain('createTTL')
    expect(transcripts[0][at]?.lines).not.toEqual(transcripts[1][at]?.lines)
  })
})
