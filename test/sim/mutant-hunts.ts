/**
 * Hunts for mutants: runs seeds that should catch one. A process hunts one mutant after the other, so that what they
 * share with the code as it is stays compiled.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Mutant } from '../../sim/mutants/mutant.ts'
import { makeMutant } from '../../sim/mutants/patch.ts'
import { runPool } from '../../sim/pool.ts'
import type { Finding } from '../../sim/run.ts'
import type { Job } from '../../sim/job.ts'
import { CompiledCode } from './partial-mutants.ts'

/** Hunts at once, each in a process that is never idle. */
const HUNTS_MAX = 2
/** The file that a mutant's runs begin with. */
const BEGIN = 'sim/job.js'

/** Options of {@link Hunts.hunt}. */
export interface HuntOptions {
  /** How many seeds, at most. */
  readonly seeds: number
  readonly assertions: 'on' | 'off'
}

interface Hunt {
  readonly jobs: readonly Job[]
  readonly findings: Finding[]
  readonly complaints: string[]
  readonly onEnd: () => void
}

/** Hunts on the mutants of some code. */
export class Hunts {
  readonly #folder: string
  readonly #worker: URL
  readonly #code: Readonly<Record<HuntOptions['assertions'], CompiledCode>>
  readonly #waiting: Hunt[] = []
  #processes = 0

  /**
   * @param folder - for what is made; whoever asked for it removes it
   * @param compiled - the code; see `compileSimulationInto`
   */
  constructor(folder: string, compiled: string) {
    this.#folder = folder
    // Below node_modules nothing of the package above is known.
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    this.#worker = pathToFileURL(join(compiled, 'sim/worker.js'))
    const withoutAssertions = join(folder, 'assertions-off')
    makeMutant({ edits: [] }, { folder: withoutAssertions, compiled, assertions: 'off' })
    this.#code = { on: new CompiledCode(compiled), off: new CompiledCode(withoutAssertions) }
  }

  /** Runs seeds on a mutant, the likely one first, until something is found; null if nothing is. */
  async hunt(mutant: Mutant, { seeds, assertions }: HuntOptions): Promise<Finding | null> {
    const home = join(this.#folder, `${mutant.name}-${assertions}`)
    this.#code[assertions].writeDifference(mutant, BEGIN, home)
    const code = pathToFileURL(join(home, BEGIN)).href
    const { profile, workload, servers, clients, expected } = mutant
    const given = { profile, workload, servers, clients }
    const jobs = likelyFirst(seeds, 'seeds' in expected ? expected.likely : undefined)
      .map((seed) => ({ seed, isTwice: false, isBrief: true, given, code }))
    const findings: Finding[] = []
    const complaints: string[] = []
    await new Promise<void>((onEnd) => {
      this.#waiting.push({ jobs, findings, complaints, onEnd })
      if (this.#processes < HUNTS_MAX) void this.#work()
    })
    if (findings.length === 0 && complaints.length > 0) throw new Error(complaints.join('\n'))
    return findings[0] ?? null
  }

  /** Hunts in one process, as long as a hunt is waiting. */
  async #work(): Promise<void> {
    this.#processes += 1
    let current: Hunt | undefined
    const waiting = this.#waiting
    const jobs = function* (): Generator<Job> {
      while ((current = waiting.shift()) !== undefined) {
        for (const job of current.jobs) {
          yield job
          if (current.findings.length + current.complaints.length > 0) break
        }
        current.onEnd()
      }
    }
    await runPool({
      jobs: jobs(),
      processes: 1,
      worker: this.#worker,
      signal: new AbortController().signal,
      onLine: ({ finding }) => {
        if (finding !== null) current?.findings.push(finding)
      },
      onFailure: (seed, complaint) => void current?.complaints.push(`the worker failed at seed ${seed}: ${complaint}`),
    })
    this.#processes -= 1
  }
}

/** The seeds below a number, in order but for one. */
function likelyFirst(seeds: number, likely: number | undefined): number[] {
  const all = Array.from({ length: seeds }, (_, seed) => seed)
  return likely === undefined ? all : [likely, ...all.filter((seed) => seed !== likely)]
}
