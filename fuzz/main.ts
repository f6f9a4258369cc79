/**
 * The command of the fuzzer: `npm run fuzz -- --seconds 60`.
 *
 * A copy of the compiled code counts which of its branches run. Inputs that are valid, and those of the corpus, are
 * changed; what reaches new branches is kept and changed again. An input that breaks a promise of its target is made
 * smaller and written into a file.
 *
 *     --seconds N     how long in total, shared by the targets; 60 by default
 *     --inputs N      how many inputs per target at most
 *     --target NAME   this one alone; may be given several times
 *     --seed N        which inputs; the same for the same corpus
 *     --corpus DIR    where inputs are kept from run to run
 *     --mutant NAME   code with a broken rule (mutants.ts), which has to be found
 *
 * Exit status: 0 nothing was found, 1 something was found, 2 wrong arguments. Of a mutant: 0 what is wrong with it was
 * found, 1 it was not.
 */
import { randomInt } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { makeMutant } from '../sim/mutants/patch.ts'
import { readCases, writeCase } from './corpus.ts'
import type { Finding, Outcome } from './fuzzer.ts'
import { instrument } from './instrument.ts'
import { FUZZ_MUTANTS } from './mutants.ts'
import type { FuzzMutant } from './mutants.ts'
import { runTarget } from './run.ts'
import { TARGETS } from './targets/all.ts'
import type { Target } from './target.ts'

const SECONDS = 60
const SEED_SPAN = 2 ** 31
const USAGE_STATUS = 2
const NAME_COLUMNS = 14
/** Findings after which a target has had enough: the rest is mostly the same. */
const FINDINGS_MAX = 5

/** From the compiled code, which is one folder below the repository's. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache')
const REPOSITORY_CORPUS = join(ROOT, 'fuzz/corpus')

interface Arguments {
  readonly seconds: number
  readonly inputs: number
  readonly seed: number
  readonly corpus: string
  readonly targets: readonly Target[]
  readonly mutant: FuzzMutant | null
}

function readArguments(args: string[]): Arguments | string {
  let values
  try {
    const text = { type: 'string' } as const
    const options = { seconds: text, inputs: text, seed: text, corpus: text, mutant: text } as const
    values = parseArgs({ args, options: { ...options, target: { ...text, multiple: true } } }).values
  } catch (error) {
    return (error as Error).message
  }
  const seconds = Number(values.seconds ?? SECONDS)
  const inputs = Number(values.inputs ?? Number.MAX_SAFE_INTEGER)
  const seed = Number(values.seed ?? randomInt(SEED_SPAN))
  const isNumber = Number.isInteger(seed) && seconds > 0 && inputs >= 0
  if (!isNumber) return '--seconds is a number above 0, --inputs and --seed are integers'
  const mutant = FUZZ_MUTANTS.find(({ name }) => name === values.mutant) ?? null
  if (values.mutant !== undefined && mutant === null) {
    return `there are these mutants: ${FUZZ_MUTANTS.map(({ name }) => name).join(', ')}`
  }
  const wanted = values.target ?? (mutant === null ? TARGETS.map(({ name }) => name) : [mutant.target])
  const targets = TARGETS.filter(({ name }) => wanted.includes(name))
  if (targets.length < wanted.length) return `there are these targets: ${TARGETS.map(({ name }) => name).join(', ')}`
  const corpus = values.corpus ?? join(CACHE, 'quorate-fuzz-corpus')
  return { seconds, inputs, seed, corpus, targets, mutant }
}

/** Makes the copy that counts; returns the module of its thread. */
function prepare(folder: string, mutant: FuzzMutant | null): URL {
  makeMutant({ edits: mutant?.edits ?? [] }, { folder, assertions: 'on' })
  const places = instrument(folder)
  console.log(`${places} places in the code are watched`)
  return pathToFileURL(join(folder, 'fuzz/worker.js'))
}

async function runOne(target: Target, worker: URL, given: Arguments): Promise<readonly Finding[]> {
  const { seed, inputs, corpus: folder, mutant } = given
  const ours = readCases(join(REPOSITORY_CORPUS, target.name))
  const kept = mutant === null ? readCases(join(folder, target.name)) : []
  const corpus = [...ours, ...kept].map(({ bytes }) => bytes)
  const startMs = performance.now()
  const seconds = given.seconds / given.targets.length
  const findings = mutant === null ? FINDINGS_MAX : 1
  const outcome = await runTarget({ worker, target, seed, seconds, inputs, findings, corpus })
  if (mutant === null) for (const input of outcome.kept) writeCase(join(folder, target.name), input)
  tell(target, outcome, corpus.length, performance.now() - startMs)
  for (const { verdict, input } of outcome.findings) {
    console.log(`FOUND in ${target.name}: ${verdict.kind}: ${verdict.what}`)
    if (mutant !== null) continue
    const about = [`${verdict.kind}: ${verdict.what.replaceAll('\n', ' ').slice(0, 90)}`, `seed ${seed}`]
    const file = writeCase(join(folder, 'found', target.name), input, about)
    console.log(`  ${input.length} bytes in ${file}; keep it as a file of fuzz/corpus/${target.name}/`)
  }
  return outcome.findings
}

function named({ name }: Target): string {
  return name.padEnd(NAME_COLUMNS)
}

function tell(target: Target, outcome: Outcome, corpus: number, ms: number): void {
  const { inputs, places, kept, findings } = outcome
  const rate = Math.round((1_000 * inputs) / ms)
  const found = `${kept.length} new to the ${corpus} of the corpus, ${findings.length} found`
  console.log(`${named(target)} ${inputs} inputs, ${rate} a second, ${places} places, ${found}`)
}

async function main(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    console.error(`fuzz: ${given}`)
    return USAGE_STATUS
  }
  const { seed, mutant, targets } = given
  console.log(`seed ${seed}${mutant === null ? '' : `, ${mutant.name}: ${mutant.breaks}`}`)
  mkdirSync(CACHE, { recursive: true })
  const folder = mkdtempSync(join(CACHE, 'quorate-fuzz-'))
  const findings: Finding[] = []
  try {
    const worker = prepare(folder, mutant)
    for (const target of targets) {
      if (typeof target.missing === 'string') console.log(`${named(target)} skipped: ${target.missing}`)
      else findings.push(...(await runOne(target, worker, given)))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  if (mutant === null) return findings.length === 0 ? 0 : 1
  return findings.some(({ verdict }) => mutant.expected.test(`${verdict.kind}: ${verdict.what}`)) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
