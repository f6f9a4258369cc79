/**
 * The command of the migration: `npm run migration`.
 *
 * Three servers of Apache ZooKeeper are started on directories of their own, become ours one after the other while
 * clients work, and ZooKeeper's again; migration.ts says what is checked. A line for each step, and one at the end.
 *
 *     --work N    how many seconds the clients work between two steps; 5 by default
 *     --seed N    what the clients do
 *
 * Exit status: 0 nothing was found, 1 something was found (the data are kept) or it took too long, 2 wrong arguments or
 * ZooKeeper is not installed.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { mixedEnsemble } from '../test/engines/mixed-ensemble.ts'
import type { MixedEnsemble } from '../test/engines/mixed-ensemble.ts'
import { reasonToSkipZooKeeper } from '../test/engines/zookeeper.ts'
import { Migration } from './migration.ts'
import type { Migrated } from './migration.ts'
import { PROGRAM } from './relayed-ensemble.ts'

const WORK_SECONDS = 5
const SEED_SPAN = 2 ** 31
const USAGE_STATUS = 2
const COMPLAINTS_MAX = 20
/** The steps take some seconds each, also on a busy machine; and between them the clients work so many times. */
const STEPS_MS_MAX = 300_000
const WORK_TIMES = 8

interface Arguments {
  readonly workMs: number
  readonly seed: number
}

function readArguments(args: string[]): Arguments | string {
  let values
  try {
    values = parseArgs({ args, options: { work: { type: 'string' }, seed: { type: 'string' } } }).values
  } catch (error) {
    return (error as Error).message
  }
  const workMs = Number(values.work ?? WORK_SECONDS) * 1_000
  const seed = Number(values.seed ?? randomInt(SEED_SPAN))
  return workMs >= 0 && Number.isInteger(seed) ? { workMs, seed } : '--work is a number from 0 on, --seed an integer'
}

async function main(args: string[]): Promise<number> {
  const given = readArguments(args)
  const refused = typeof given === 'string' ? given : reasonToSkipZooKeeper()
  if (typeof given === 'string' || refused !== null) {
    console.error(`migration: ${refused}`)
    return USAGE_STATUS
  }
  const folder = await mkdtemp(join(tmpdir(), 'quorate-migration-'))
  // The servers sync before they acknowledge, as in production.
  const reference = { properties: { 'zookeeper.forceSync': 'yes' } }
  const ensemble = await mixedEnsemble({ path: folder }, { ours: [], reference, program: PROGRAM })
  let found: Migrated | string
  try {
    const migrating = migrate(ensemble, given)
    found = await Promise.race([migrating, tooLate(STEPS_MS_MAX + WORK_TIMES * given.workMs), interrupted()])
  } catch (error) {
    found = error instanceof Error ? error.message : String(error)
  } finally {
    await Promise.all(ensemble.ids.map((id) => ensemble.kill(id)))
  }
  if (typeof found !== 'string' && found.complaints.length === 0) {
    await rm(folder, { recursive: true })
    const { created, repeated, withoutMs } = found
    const writes = `${created} writes acknowledged and none lost, ${repeated} repeated, none refused`
    console.log(`there and back: ${writes}; at most ${withoutMs} ms without a write`)
    return 0
  }
  const complaints = typeof found === 'string' ? [found] : found.complaints
  for (const complaint of complaints.slice(0, COMPLAINTS_MAX)) console.log(`FOUND: ${complaint}`)
  console.log(`failed: ${complaints.length} found; data of the servers: ${folder}`)
  return 1
}

async function migrate(ensemble: MixedEnsemble, { workMs, seed }: Arguments): Promise<Migrated> {
  const startedAtMs = performance.now()
  const tell = (line: string): void => {
    console.log(`${((performance.now() - startedAtMs) / 1_000).toFixed(2).padStart(8)} s  ${line}`)
  }
  await ensemble.start(...ensemble.ids)
  tell(`three servers of ZooKeeper serve; clients begin (seed ${seed})`)
  return new Migration(ensemble, seed, tell).run(workMs)
}

async function tooLate(limitMs: number): Promise<string> {
  await delay(limitMs, undefined, { ref: false })
  return `not done after ${limitMs / 1_000} s`
}

/** Resolves if this process is to end: its servers have to end first. */
async function interrupted(): Promise<string> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  return 'interrupted'
}

// Clients may be left in the middle of something.
process.exit(await main(process.argv.slice(2)))
