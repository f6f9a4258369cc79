/**
 * Hunts for mutants: runs seeds that should catch one, on a copy of the compiled code that has it.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Mutant } from '../../sim/mutants/mutant.ts'
import { makeMutant } from '../../sim/mutants/patch.ts'
import { runPool } from '../../sim/pool.ts'
import type { Finding } from '../../sim/run.ts'

/** Options of {@link hunt}. */
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
