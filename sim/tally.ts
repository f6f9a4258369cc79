/** Adds up what runs were like, for people to read. */
import { FAULT_KINDS } from '../src/testing/simulation/plan.ts'
import type { FaultKind } from '../src/testing/simulation/plan.ts'
import { PROBES } from '../src/testing/simulation/probes.ts'
import type { ProbeName } from '../src/testing/simulation/probes.ts'
import type { Finding } from './run.ts'
import type { WorkerLine } from './worker.ts'

const MS_AN_HOUR = 3_600_000
/** A probe that was hit fewer times is rare. */
const RARE = 10

/** A finding, and the seed that has it. */
export interface SeedFinding {
  readonly seed: number
  readonly finding: Finding
}

/** The sum of many runs. */
export class Tally {
  /** All that was found, in the order in which it came. */
  readonly findings: SeedFinding[] = []
  readonly #faults = new Map<FaultKind, number>()
  readonly #probes = new Map<ProbeName, number>()
  readonly #profiles = new Map<string, number>()
  #seeds = 0
  #virtualMs = 0
  #cpuMs = 0
  #events = 0
  #elections = 0
  #commits = 0
  #serviceTicksMax = 0

  /** How many runs were added. */
  get seeds(): number {
    return this.#seeds
  }

  /** Adds a run. */
  add(line: WorkerLine): void {
    this.#seeds += 1
    this.#virtualMs += line.virtualMs
    this.#cpuMs += line.cpuMs
    this.#events += line.events
    this.#elections += line.elections
    this.#commits += line.commits
    this.#serviceTicksMax = Math.max(this.#serviceTicksMax, line.serviceTicks ?? 0)
    this.#profiles.set(line.profile, (this.#profiles.get(line.profile) ?? 0) + 1)
    for (const kind of FAULT_KINDS) addTo(this.#faults, kind, line.faults[kind])
    for (const name of probeNames()) addTo(this.#probes, name, line.probes[name])
    if (line.finding !== null) this.findings.push({ seed: line.seed, finding: line.finding })
  }

  /** Adds a seed at which the process itself failed. */
  addFailure(seed: number, complaint: string): void {
    this.#seeds += 1
    const message = complaint.trim().split('\n').at(-1) ?? ''
    this.findings.push({ seed, finding: { kind: 'crash', check: 'worker', message, atMs: 0, stack: complaint } })
  }

  /** How often each class of faults happened. */
  fault(kind: FaultKind): number {
    return this.#faults.get(kind) ?? 0
  }

  /** How often a probe was hit. */
  probe(name: ProbeName): number {
    return this.#probes.get(name) ?? 0
  }

  /** The probes that were never hit. */
  unseenProbes(): ProbeName[] {
    return probeNames().filter((name) => !this.#probes.has(name))
  }

  /** One line about everything. */
  line(): string {
    const faults = FAULT_KINDS.filter((kind) => this.#faults.has(kind)).map((kind) => `${kind} ${this.fault(kind)}`)
    return [
      `${this.#seeds} seeds`,
      `${this.#hours(1)} virtual h`,
      `${this.#elections} elections`,
      `${this.#commits} commits`,
      `${this.findings.length} findings`,
      `faults: ${faults.join(', ')}`,
      `probes not seen: ${this.unseenProbes().length}`,
    ].join(' | ')
  }

  /** Some lines about everything. */
  summary(): string {
    const cpuS = this.#cpuMs / 1_000
    const rare = [...this.#probes].filter(([, count]) => count < RARE).map(([name, count]) => `${name} ${count}`)
    return [
      this.line(),
      `profiles: ${[...this.#profiles].sort().map(([name, count]) => `${name} ${count}`).join(', ')}`,
      `speed: ${Math.round(this.#events / cpuS)} events a CPU-second, ${this.#hours(60 / cpuS)} virtual h a CPU-minute`,
      `slowest service behind healing: ${this.#serviceTicksMax} ticks`,
      `rare probes: ${rare.join(', ') || 'none'}`,
      `probes not seen: ${this.unseenProbes().map((name) => `${name} (${PROBES[name]})`).join(', ') || 'none'}`,
    ].join('\n')
  }

  #hours(share: number): string {
    return (share * this.#virtualMs / MS_AN_HOUR).toFixed(2)
  }
}

/** Adds to a count. */
function addTo<K>(counts: Map<K, number>, key: K, count: number | undefined): void {
  if (count !== undefined) counts.set(key, (counts.get(key) ?? 0) + count)
}

function probeNames(): ProbeName[] {
  return Object.keys(PROBES) as ProbeName[]
}
