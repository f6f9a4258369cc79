/**
 * Hunts for mutants: runs what should catch one, on a copy of the code that has it.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Mutant } from '../../sim/mutants/mutant.ts'
import { applied, makeMutant } from '../../sim/mutants/patch.ts'
import { runPool } from '../../sim/pool.ts'
import type { Finding } from '../../sim/run.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** What a test needs of the repository. */
const COPIED = ['src', 'sim', 'test', 'examples', 'docs', 'package.json', 'tsconfig.json', 'vitest.config.ts']

/** What to hunt with. */
export interface Hunt {
  /** The code to make the mutant of; see {@link compileSimulationInto}. */
  readonly compiled: string
  /** How many seeds, at most. */
  readonly seeds: number
  readonly assertions: 'on' | 'off'
}

/** Runs seeds on a mutant, the likely one first, until something is found; null if nothing is. */
export async function hunt(mutant: Mutant, { compiled, seeds, assertions }: Hunt): Promise<Finding | null> {
  const home = `${compiled}-${mutant.name}-${assertions}`
  makeMutant(mutant, { folder: home, compiled, assertions })
  const { profile, workload, servers, clients, expected } = mutant
  const given = { profile, workload, servers, clients }
  const over = new AbortController()
  const findings: Finding[] = []
  const complaints: string[] = []
  await runPool({
    jobs: likelyFirst(seeds, 'seeds' in expected ? expected.likely : undefined)
      .map((seed) => ({ seed, isTwice: false, isBrief: true, given })).values(),
    processes: 1,
    worker: pathToFileURL(join(home, 'sim/worker.js')),
    signal: over.signal,
    onLine: ({ finding }) => {
      if (finding === null) return
      findings.push(finding)
      over.abort()
    },
    onFailure: (seed, complaint) => {
      complaints.push(`the worker failed at seed ${seed}: ${complaint}`)
      over.abort()
    },
  })
  rmSync(home, { recursive: true, force: true })
  const [finding = null] = findings
  if (finding === null && complaints.length > 0) throw new Error(complaints.join('\n'))
  return finding
}

/** The seeds below a number, in order but for one. */
function likelyFirst(seeds: number, likely: number | undefined): number[] {
  const all = Array.from({ length: seeds }, (_, seed) => seed)
  return likely === undefined ? all : [likely, ...all.filter((seed) => seed !== likely)]
}

/** Runs tests on a mutant of the source; null if they pass, and what they say if one fails. */
export async function failureOf(tests: readonly string[], { edits }: Pick<Mutant, 'edits'>): Promise<string | null> {
  const home = mkdtempSync(join(tmpdir(), 'quorate-mutant-'))
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(home, name), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'))
    for (const edit of edits) {
      const file = join(home, 'src', edit.file)
      writeFileSync(file, applied(edit, readFileSync(file, 'utf8')))
    }
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs')
    const run = spawn(process.execPath, [vitest, 'run', ...tests, '--root', home], { cwd: home })
    const output = textOf(run.stdout)
    const complaint = textOf(run.stderr)
    const status = await endOf(run)
    return status === 0 ? null : output() + complaint()
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
}

function textOf(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return () => text
}
