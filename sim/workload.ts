/**
 * The work of the clients of a simulated world.
 *
 * Model     a workload gives each client slot a program. The program goes on until it is told that the run draws to its
 *           end, then it tidies up and returns; its client is closed after it. If its process crashes, the slot gets a
 *           new client on a new node, and the program begins again with a higher `life`.
 * Errors    a program deals with every error that the world may cause. One that it throws ends the run as a crash.
 */
import type { Client } from '../src/core/client.ts'
import type { Check } from './check.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { Ledger } from './ledger.ts'
import type { Operators } from './operators.ts'
import type { Owners } from './owners.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { Tap } from './tap.ts'
import type { World } from '../src/testing/simulation/world.ts'

/** The parts of the run that a workload is made from. */
export interface WorkloadSetup {
  readonly world: World
  /** The committed transactions; it looks after each event before the checks of the workload do. */
  readonly ledger: Ledger
  /** The messages between clients and servers. */
  readonly tap: Tap
  /** Whose session is whose. */
  readonly owners: Owners
  /** Who strikes at the nodes of programs; see {@link Workload.hunted}. */
  readonly operators: Pick<Operators, 'atMoment'>
  /** How many client slots there are, numbered from 0. */
  readonly clients: number
  /** A stream of its own. */
  readonly random: SeededRandom
  readonly probes: Probes
}

/** One life of one client slot. */
export interface ClientLife {
  /** Its slot, from 0. */
  readonly slot: number
  /** How many clients the slot had before this one. */
  readonly life: number
  /** Its process; `incarnation` changes when it crashes. */
  readonly node: SimNode
  /** A stream of this life. */
  readonly random: SeededRandom
  /** Whether the faults are over and the program should come to its end. */
  isEnding(): boolean
  /** The unit of time of programs, as of the servers, in milliseconds. */
  readonly tickMs: number
  /** Lets virtual time pass on this node's clock; ends early when the run draws to its end. */
  sleep(forTicks: number): Promise<void>
}

/** Programs, and what is checked of them. */
export interface Workload {
  readonly name: string
  /** Checks that know what the programs do. */
  readonly checks: readonly Check[]
  /** The path at and below which operators may strike; absent if its checks know nothing of operators. */
  readonly hunted?: string
  /**
   * The program of one life of one client. One that returns before the run draws to its end
   * is followed by another, on a client of its own.
   */
  program(client: Client, life: ClientLife): Promise<void>
}

/** Makes a workload for one run; everything it draws comes from the stream it is given. */
export type MakeWorkload = (setup: WorkloadSetup) => Workload
