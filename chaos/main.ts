/**
 * The command of the chaos: `npm run chaos -- --seconds 60`.
 *
 * Three servers, each a process with a disk of its own, are killed, frozen and cut off from each other, their disks get
 * full, their files are damaged, their clocks jump: one fault after the other, while clients write, read, lock and
 * watch. Then everything heals, and what the clients were told is compared with what the servers have.
 * The seed draws the faults; when they meet what is going on is up to the machine.
 *
 *     --seconds N   how long the faults last; 60 by default
 *     --seed N      which faults
 *     --only KIND   faults of this kind alone (faults.ts); may be given several times
 *     --mixed ID    this server is one of ZooKeeper. Its leader asks no majority before it answers a sync, so it is not
 *                   checked that registers are linearizable
 *     --mutant NAME servers with a broken rule (mutants.ts), which has to be found
 *
 * Exit status: 0 nothing was found, 1 something was found (the data and the servers' output are kept), 2 wrong
 * arguments. Of a mutant: 0 what is wrong with it was found, 1 it was not.
 */
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SeededRandom } from '../src/testing/simulation/random.ts'
import { complaintsOf, dumpOf } from './checks.ts'
import { RelayedEnsemble, PROGRAM } from './relayed-ensemble.ts'
import { FAULT_KINDS, drawFault, rest } from './faults.ts'
import type { Fault, FaultKind } from './faults.ts'
import { CHAOS_MUTANTS, mutantProgram } from './mutants.ts'
import type { ChaosMutant } from './mutants.ts'
import { Load, ROOT, SESSION_TIMEOUT_MS } from './load.ts'

const SECONDS = 60
const SEED_SPAN = 2 ** 31
const USAGE_STATUS = 2
/** How long the first start may take, and that everyone is there again after the last fault. */
const START_MS_MAX = 60_000
/**
 * How long after the end of a fault a write is acknowledged: twice an election and a synchronisation (initLimit and
 * syncLimit at this tick), the start of a process, and the reconnect of a client.
 */
const BACK_MS_MAX = 15_000
/** The same where two servers wait for a JVM. */
const MIXED_BACK_MS_MAX = 45_000
const POLL_MS = 20
/** Complaints that are printed; one fault can break a promise a thousand times. */
const COMPLAINTS_MAX = 20

interface Found {
  readonly complaints: string[]
  readonly faults: number
  /** Of each kind of which it can be known: how often the victim noticed it, of how many times. */
  readonly noticed: string
  /** The longest time from the end of a fault to an acknowledged write. */
  readonly backMs: number
}

class ChaosRun {
  readonly #ensemble: RelayedEnsemble
  readonly #load: Load
  readonly #random: SeededRandom
  readonly #kinds: readonly FaultKind[]
  readonly #complaints: string[] = []
  readonly #startedAtMs = performance.now()
  readonly #noticed = new Map<FaultKind, { noticed: number; all: number }>()
  readonly #backMsMax: number
  #faults = 0
  #backMs = 0

  constructor(ensemble: RelayedEnsemble, seed: number, kinds: readonly FaultKind[]) {
    this.#ensemble = ensemble
    this.#kinds = kinds
    this.#backMsMax = this.#isMixed ? MIXED_BACK_MS_MAX : BACK_MS_MAX
    this.#random = new SeededRandom(seed)
    this.#load = new Load(ensemble.addresses, this.#random.fork('load'), (what) => {
      if (this.#complaints.length < COMPLAINTS_MAX) this.#say(`VIOLATION: ${what}`)
      this.#complaints.push(what)
    })
  }

  async run(seconds: number): Promise<Found> {
    await this.#ensemble.begin()
    await this.#load.start()
    const firstMs = await this.#untilAcknowledged(START_MS_MAX)
    if (firstMs === null) throw new Error('no write was acknowledged at the start')
    this.#say('three servers serve; the faults begin')
    const random = this.#random.fork('faults')
    const endMs = performance.now() + seconds * 1_000
    while (performance.now() < endMs && this.#complaints.length === 0) {
      await this.#suffer(drawFault(this.#ensemble, random, this.#kinds))
      await rest(random)
    }
    await this.#load.stop()
    this.#say('the faults and the load have ended')
    await this.#check()
    const counts = [...this.#noticed].sort(([a], [b]) => (a < b ? -1 : 1))
    const noticed = counts.map(([kind, { noticed: some, all }]) => `${kind} ${some} of ${all}`).join(', ')
    return { complaints: this.#complaints, faults: this.#faults, noticed, backMs: Math.round(this.#backMs) }
  }

  get #isMixed(): boolean {
    return this.#ensemble.ours.length < this.#ensemble.ids.length
  }

  async #suffer(fault: Fault & { readonly kind: FaultKind }): Promise<void> {
    this.#say(`${fault.what} for ${fault.forMs} ms`)
    this.#faults += 1
    await fault.begin().catch((error: unknown) => this.#complaints.push(String(error)))
    if (fault.strike !== undefined) await this.#strike(fault.what, fault.strike)
    await delay(fault.forMs)
    await fault.end()
    const backMs = await this.#untilAcknowledged(this.#backMsMax)
    if (backMs === null) this.#complaints.push(`no write was acknowledged ${this.#backMsMax} ms after: ${fault.what}`)
    else this.#backMs = Math.max(this.#backMs, backMs)
    await this.#recovered(fault)
    for (const id of this.#ensemble.ids) {
      const end = this.#ensemble.endOf(id)
      if (end !== null) this.#complaints.push(`server ${id} has ended by itself (${end}) after: ${fault.what}`)
    }
  }

  async #strike(what: string, strike: () => void): Promise<void> {
    const tooLate = delay(this.#backMsMax, true, { ref: false })
    if ((await Promise.race([this.#load.mark(), tooLate])) === true) {
      this.#complaints.push(`two servers wrote nothing for ${this.#backMsMax} ms: ${what}`)
    } else strike()
  }

  /** Waits for the victim, if it has to serve again, and counts whether it noticed. */
  async #recovered({ kind, what, victim, isNoticed }: Fault & { readonly kind: FaultKind }): Promise<void> {
    if (victim === undefined || isNoticed === undefined) return
    if (!(await this.#ensemble.untilServing(victim, this.#backMsMax))) {
      this.#complaints.push(`server ${victim} does not serve ${this.#backMsMax} ms after: ${what}`)
    }
    const { noticed, all } = this.#noticed.get(kind) ?? { noticed: 0, all: 0 }
    this.#noticed.set(kind, { noticed: noticed + (isNoticed() ? 1 : 0), all: all + 1 })
  }

  /** @returns after how long a write was acknowledged that nobody had an answer to yet; null if none was in time */
  async #untilAcknowledged(limitMs: number): Promise<number | null> {
    const fromMs = performance.now()
    while (this.#load.told.acknowledgedAtMs <= fromMs) {
      if (performance.now() - fromMs > limitMs) return null
      await delay(POLL_MS)
    }
    return this.#load.told.acknowledgedAtMs - fromMs
  }

  async #check(): Promise<void> {
    const { told } = this.#load
    const deadlineMs = performance.now() + START_MS_MAX
    // The last value published may be one more than its publisher was told.
    const areEqual = (): boolean => [told.published, told.published + 1].some((last) =>
      [...told.heard.values()].every((heard) => heard === last))
    while (!areEqual()) {
      if (performance.now() > deadlineMs) {
        const heard = [...told.heard.values()].join()
        this.#complaints.push(`configuration: ${told.published} was published, heard was ${heard}`)
        break
      }
      await delay(POLL_MS)
    }
    await this.#load.close()
    await delay(2 * SESSION_TIMEOUT_MS)
    const read = await Promise.all(this.#ensemble.addresses.map((address) => dumpOf(address).catch((error: unknown) => {
      this.#complaints.push(`the server at ${address} cannot be read at the end: ${String(error)}`)
      return []
    })))
    const dumps = read.flat()
    this.#complaints.push(...complaintsOf(dumps, told, { areSyncsWeak: this.#isMixed }))
    const { created, calls, leases, published } = told
    this.#say(`${created.length} nodes, ${calls} calls of registers, ${leases} leases, ${published} values`)
    this.#say(`${dumps[0]?.size ?? 0} nodes below ${ROOT} on each server`)
  }

  #say(what: string): void {
    console.log(`${((performance.now() - this.#startedAtMs) / 1_000).toFixed(2).padStart(8)} s  ${what}`)
  }
}

interface Arguments {
  readonly seconds: number
  readonly seed: number
  readonly mutant: ChaosMutant | null
  readonly theirs: number | null
  readonly kinds: readonly FaultKind[]
}

function readArguments(args: string[]): Arguments | string {
  let values
  try {
    const text = { type: 'string' } as const
    const options = { seconds: text, seed: text, mutant: text, mixed: text, only: { ...text, multiple: true } } as const
    values = parseArgs({ args, options }).values
  } catch (error) {
    return (error as Error).message
  }
  const seconds = Number(values.seconds ?? SECONDS)
  const seed = Number(values.seed ?? randomInt(SEED_SPAN))
  if (!Number.isInteger(seed) || !(seconds > 0)) return '--seconds is a number above 0, --seed an integer'
  const theirs = values.mixed === undefined ? null : Number(values.mixed)
  if (![null, 1, 2, 3].includes(theirs)) return '--mixed is 1, 2 or 3'
  const mutant = CHAOS_MUTANTS.find(({ name }) => name === values.mutant) ?? null
  if (values.mutant !== undefined && mutant === null) {
    return `there are these mutants: ${CHAOS_MUTANTS.map(({ name }) => name).join(', ')}`
  }
  const only = values.only ?? mutant?.faults ?? FAULT_KINDS
  const kinds = FAULT_KINDS.filter((kind) => only.includes(kind))
  if (kinds.length < only.length) return `there are these faults: ${FAULT_KINDS.join(', ')}`
  return { seconds, seed, mutant, theirs, kinds }
}

async function main(args: string[]): Promise<number> {
  const given = readArguments(args)
  if (typeof given === 'string') {
    console.error(`chaos: ${given}`)
    return USAGE_STATUS
  }
  const { seconds, seed, mutant, theirs } = given
  const folder = await mkdtemp(join(tmpdir(), 'quorate-chaos-'))
  const program = mutant === null ? PROGRAM : mutantProgram(mutant)
  const ensemble = await RelayedEnsemble.make(folder, { program, theirs })
  let found: Found | null = null
  try {
    console.log(`seed ${seed}, ${seconds} s${mutant === null ? '' : `, ${mutant.name}: ${mutant.breaks}`}`)
    if (ensemble.whyNoDisks !== null) console.log(`no disk gets full: ${ensemble.whyNoDisks}`)
    const kinds = given.kinds.filter((kind) => kind !== 'disk-full' || ensemble.whyNoDisks === null)
    found = await new ChaosRun(ensemble, seed, kinds).run(seconds)
  } finally {
    await ensemble.close()
    if (mutant === null && found?.complaints.length !== 0) console.log(`data and output of the servers: ${folder}`)
    else await rm(folder, { recursive: true })
  }
  const { complaints, faults, noticed, backMs } = found
  for (const complaint of new Set([...complaints.slice(0, COMPLAINTS_MAX), ...complaints.slice(-COMPLAINTS_MAX)])) {
    console.log(`FOUND: ${complaint}`)
  }
  if (noticed !== '') console.log(`noticed by the victim: ${noticed}`)
  console.log(`${faults} faults, service back after ${backMs} ms at most, ${complaints.length} found`)
  const isAsExpected = mutant === null ? complaints.length === 0 : complaints.some((one) => mutant.expected.test(one))
  return isAsExpected ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
