/**
 * The command of the simulation: `npm run sim -- --seconds 60`.
 *
 *     --seconds N | --seeds N     fresh seeds on all processors; one line per second
 *     --seed 0xBEEF [--trace]     replays one seed and says what happened; with --trace, every event
 *     --mutant NAME [--seeds N]   breaks a rule of the code and looks how soon that is found
 *     --shrink                    with either of these: looks for the few faults that are enough, for the regressions
 *     --profile NAME              only this climate
 *     --workload NAME             only this workload
 *     --servers N, --clients N    only worlds of this size
 *
 * Exit status: 0 nothing was found, 2 wrong arguments, 10 crash, 11 safety, 12 liveness.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { MUTANTS } from './mutants/all.ts'
import type { Mutant } from './mutants/mutant.ts'
import { makeMutant } from './mutants/patch.ts'
import { runPool } from './pool.ts'
import type { PoolOptions } from './pool.ts'
import { PROFILE_NAMES, drawRun } from '../src/testing/simulation/profiles.ts'
import type { Draw, Given } from '../src/testing/simulation/profiles.ts'
import { runDraw } from './run.ts'
import type { Finding } from './run.ts'
import { shrink } from './shrink.ts'
import { Tally } from './tally.ts'
import type { Job } from './worker.ts'
import { WORKLOADS } from './workloads/all.ts'

const EXIT_STATUS = Object.freeze({ crash: 10, safety: 11, liveness: 12 }) satisfies Record<Finding['kind'], number>
const USAGE_STATUS = 2
const REPORT_MS = 1_000
/** One seed in this many runs twice. */
const TWICE_EVERY = 20
const SEED_SPAN = 2 ** 32
/** Servers, or clients, of a world that can be asked for. */
const SIZE_MAX = 20
/** Seeds of a mutant that the simulation need not find. */
const HUNT_SEEDS = 100

const USAGE = `usage: npm run sim -- --seconds N | --seeds N | --seed SEED [--trace | --shrink] |
       --mutant NAME [--seeds N] [--shrink] [more]
more: --profile NAME, --workload NAME, --servers N, --clients N
profiles: ${PROFILE_NAMES.join(', ')}
workloads: ${Object.keys(WORKLOADS).join(', ')}
mutants: ${MUTANTS.map(({ name }) => name).join(', ')}`

interface Arguments {
  readonly seconds: number | null
  readonly seeds: number
  readonly seed: number | null
  readonly mutant: Mutant | undefined
  readonly trace: boolean
  readonly shrink: boolean
  readonly given: Given
}

/** Reads the command line; null if it is wrong. */
function read(args: readonly string[]): Arguments | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seconds: { type: 'string' }, seeds: { type: 'string' }, seed: { type: 'string' },
        mutant: { type: 'string' }, profile: { type: 'string' }, workload: { type: 'string' },
        servers: { type: 'string' }, clients: { type: 'string' },
        trace: { type: 'boolean', default: false }, shrink: { type: 'boolean', default: false },
      },
    })
    const numbers = [values.seconds, values.seeds, values.seed].filter((text) => text !== undefined)
    if (!numbers.every((text) => Number(text) >= 0)) return null
    const isHunt = values.mutant !== undefined && values.seconds === undefined && values.seed === undefined
    if (!isHunt && (numbers.length !== 1 || values.mutant !== undefined)) return null
    const mutant = MUTANTS.find(({ name }) => name === values.mutant)
    if (mutant?.name !== values.mutant) return null
    if (values.trace && values.seed === undefined) return null
    if (values.shrink && values.seed === undefined && mutant === undefined) return null
    const given = readGiven(values)
    return given === null ? null : {
      seconds: values.seconds === undefined ? null : Number(values.seconds),
      seeds: values.seeds === undefined ? Infinity : Number(values.seeds),
      seed: values.seed === undefined ? null : Number(values.seed),
      mutant, trace: values.trace, shrink: values.shrink, given,
    }
  } catch {
    return null
  }
}

/** Reads what is not to be left to chance; null if it is wrong. */
function readGiven(values: Readonly<Partial<Record<keyof Given, string>>>): Given | null {
  const profile = PROFILE_NAMES.find((name) => name === values.profile)
  const { workload } = values
  const [servers, clients] = [values.servers, values.clients].map((text) => text === undefined ? text : Number(text))
  const isKnown = profile === values.profile && (workload === undefined || Object.hasOwn(WORKLOADS, workload))
  const isCount = (count = 1): boolean => Number.isInteger(count) && count >= 1 && count <= SIZE_MAX
  return isKnown && isCount(servers) && isCount(clients) ? { profile, workload, servers, clients } : null
}

async function main(args: readonly string[]): Promise<number> {
  const options = read(args)
  if (options === null) {
    process.stderr.write(`${USAGE}\n`)
    return USAGE_STATUS
  }
  if (options.mutant !== undefined) return hunt(options.mutant, options)
  return options.seed === null ? explore(options) : replay(options, options.seed)
}

/** Runs fresh seeds, and tells of every finding how to see it again. */
async function explore({ seconds, seeds, given }: Arguments): Promise<number> {
  const first = Math.floor(Math.random() * SEED_SPAN)
  const over = new AbortController()
  const end = seconds === null ? undefined : setTimeout(() => {
    over.abort()
  }, seconds * 1_000)
  const worker = new URL('./worker.js', import.meta.url)
  const findings = await run({ seeds: seedsFrom(first, seeds), worker, signal: over.signal, given })
  clearTimeout(end)
  return statusOf(findings)
}

/** Breaks a rule, and runs the seeds within which that has to be found, until it is; then it may look for why. */
async function hunt(mutant: Mutant, { seeds, shrink: isShrinking, given: asked }: Arguments): Promise<number> {
  const { name, breaks, expected } = mutant
  const folder = fileURLToPath(new URL(`../../node_modules/.cache/quorate-mutant-${name}/`, import.meta.url))
  makeMutant(mutant, { folder, assertions: 'on' })
  say(`${breaks} ${describeExpected(expected)}`)
  const given = {
    profile: asked.profile ?? mutant.profile,
    workload: asked.workload ?? mutant.workload,
    servers: asked.servers ?? mutant.servers,
    clients: asked.clients ?? mutant.clients,
  }
  const found = new AbortController()
  let replaying: readonly string[] | null = null
  const findings = await run({
    seeds: seedsFrom(0, Number.isFinite(seeds) ? seeds : 'seeds' in expected ? expected.seeds : HUNT_SEEDS),
    worker: pathToFileURL(join(folder, 'sim/worker.js')),
    signal: found.signal,
    given,
    onFinding: (seed) => {
      replaying ??= replayOf(seed, given)
      found.abort()
    },
  })
  if (isShrinking && replaying !== null) {
    const shrinking = [join(folder, 'sim/main.js'), ...replaying, '--shrink']
    await once(spawn(process.execPath, shrinking, { stdio: 'inherit' }), 'close')
  }
  rmSync(folder, { recursive: true })
  return statusOf(findings)
}

function describeExpected(expected: Mutant['expected']): string {
  if ('seeds' in expected) return `To be found within ${expected.seeds} seeds.`
  return 'test' in expected ? `It is ${expected.test} that finds it.` : `Nobody can find it: ${expected.because}`
}

interface Campaign extends Pick<PoolOptions, 'worker' | 'signal'> {
  readonly seeds: Iterable<number>
  /** The part of each draw that all seeds share; the seed draws the rest. */
  readonly given: Given
  readonly onFinding?: (seed: number) => void
}

/** Runs seeds on all processors, and says once a second how far it is. */
async function run({ onFinding, seeds, given, ...campaign }: Campaign): Promise<readonly Finding[]> {
  const tally = new Tally()
  const startedMs = performance.now()
  const ticker = setInterval(() => {
    say(`${((performance.now() - startedMs) / 1_000).toFixed(0)} s | ${tally.line()}`)
  }, REPORT_MS)
  let told = 0
  const tell = (): void => {
    for (const { seed, finding } of tally.findings.slice(told)) {
      say(`\n${describe(finding)}\nsee it again: npm run sim -- ${replayOf(seed, given).join(' ')}\n`)
      onFinding?.(seed)
    }
    told = tally.findings.length
  }
  await runPool({
    ...campaign,
    jobs: jobsOf(seeds, given),
    processes: availableParallelism(),
    onLine: (line) => {
      tally.add(line)
      tell()
    },
    onFailure: (seed, complaint) => {
      tally.addFailure(seed, complaint)
      tell()
    },
  })
  clearInterval(ticker)
  say(`\n${tally.summary()}`)
  return tally.findings.map(({ finding }) => finding)
}

function* jobsOf(seeds: Iterable<number>, given: Given): Generator<Job> {
  for (const seed of seeds) yield { seed, isTwice: seed % TWICE_EVERY === 0, given }
}

function replayOf(seed: number, given: Given): string[] {
  const options = Object.entries(given).filter(([, value]) => value !== undefined)
  return ['--seed', hex(seed), ...options.flatMap(([name, value]) => [`--${name}`, String(value)])]
}

/** Runs one seed before the eyes of the reader. */
async function replay({ given, trace, shrink: isShrinking }: Arguments, seed: number): Promise<number> {
  const draw = drawRun(seed, { ...given, workloads: Object.keys(WORKLOADS) })
  const { plan, ...rest } = draw
  say(JSON.stringify(rest))
  const onLine = (atMs: number, line: string): void => {
    say(`${atMs.toFixed(2).padStart(10)}  ${line}`)
  }
  const onTrace = (atMs: number, node: string, label: string): void => {
    onLine(atMs, `    ${node} ${label}`)
  }
  const report = await runDraw(draw, isShrinking ? {} : { onLine, ...(trace ? { onTrace } : {}) })
  say(`\n${JSON.stringify({ ...report, finding: report.finding === null ? null : 'see below' })}`)
  if (report.finding === null) return 0
  say(`\n${describe(report.finding)}`)
  if (isShrinking) {
    say(`\n${plan.length} faults; looking for the few that are enough ...`)
    say(await shrunk(draw, report.finding))
  }
  return statusOf([report.finding])
}

/** The draw with as few faults as are enough for the same finding, as an entry of the regressions. */
async function shrunk(draw: Draw, finding: Finding): Promise<string> {
  // Faults still to come have no part in it.
  const happened = draw.plan.filter(({ atMs }) => atMs <= finding.atMs)
  const plan = await shrink(happened, async (part) => {
    const again = await runDraw({ ...draw, plan: part })
    return again.finding?.kind === finding.kind && again.finding.check === finding.check
  })
  const regression = { found: `${finding.check}: ${finding.message}`, draw: { ...draw, plan } }
  return `${plan.length} are:\n${JSON.stringify(regression, null, 2)}`
}

function describe({ kind, check, atMs, message, stack }: Finding): string {
  return `${kind.toUpperCase()} at ${atMs.toFixed(2)} ms, ${check}: ${message}\n${stack}`
}

function statusOf(findings: readonly Finding[]): number {
  const kinds = new Set(findings.map(({ kind }) => kind))
  const gravest = (['crash', 'safety', 'liveness'] as const).find((kind) => kinds.has(kind))
  return gravest === undefined ? 0 : EXIT_STATUS[gravest]
}

function* seedsFrom(first: number, count: number): Generator<number> {
  for (let i = 0; i < count; i++) yield (first + i) % SEED_SPAN
}

function hex(seed: number): string {
  return `0x${seed.toString(16).toUpperCase()}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main(process.argv.slice(2))
