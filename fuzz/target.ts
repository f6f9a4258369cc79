/**
 * A target: a part of the package that reads what others wrote, and the promises that it keeps whatever comes.
 */
import type { SeededRandom } from '../src/testing/simulation/random.ts'

/** Makes another input of one. `other` is a second input of the corpus, for pieces. */
export type Mutator = (input: Uint8Array, random: SeededRandom, other: Uint8Array) => Uint8Array

/** The limits of one input. */
export interface InputLimits {
  /** Longest input that is made, in bytes. */
  readonly inputBytesMax: number
  /** Longest time in the processor for one input, in milliseconds: far above what any needs on a slow machine. */
  readonly cpuMsMax: number
  /** Most memory that one input may cost, in bytes, garbage included. */
  readonly memoryBytesMax: number
  /** Longest time until an input has ended, in milliseconds; after that the run is ended, and it is a finding. */
  readonly hangMsMax: number
}

/** A program beside the package. */
export interface Engine {
  readonly url: string
  close(): Promise<void>
}

/** One part of the package under fuzzed inputs. */
export interface Target {
  /** Its name on the command line. */
  readonly name: string
  /** The things that are read, for people. */
  readonly reads: string
  readonly limits: InputLimits
  readonly mutators: readonly Mutator[]
  /**
   * Whether an input does the same each time, so that what it reaches may lead to the next ones within a run. What is
   * reached by sockets or by processes depends on the moment: its inputs join the corpus at the end of the run.
   */
  readonly isPure: boolean
  /** Why it cannot run here; absent or null if it can. */
  readonly missing?: string | null
  /** Valid inputs to begin with, always the same. */
  seeds(): Promise<readonly Uint8Array[]> | readonly Uint8Array[]
  /** Starts the program that it needs; outside the thread of the inputs, so that it ends whatever becomes of that. */
  engine?(): Promise<Engine>
  /** Prepares what all inputs share, with the URL of the engine. */
  start?(url: string): Promise<void>
  /** Reads one input. @throws whatever breaks a promise */
  run(input: Uint8Array): Promise<void> | void
  /** Ends what was started. */
  stop?(): Promise<void>
}

/** A promise that was broken, in words. */
export class BrokenPromise extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'BrokenPromise'
  }
}

/** @throws BrokenPromise unless it is so */
export function promise(isKept: boolean, what: string): void {
  if (!isKept) throw new BrokenPromise(what)
}

/** The limits of decoders that do no I/O: all of it far below what would be noticed. */
export const PURE_LIMITS: InputLimits = Object.freeze({
  inputBytesMax: 4_096,
  cpuMsMax: 250,
  memoryBytesMax: 16 * 1024 * 1024,
  hangMsMax: 20_000,
})

/** The limits of sessions on a real engine. */
export const ENGINE_LIMITS: InputLimits = Object.freeze({
  inputBytesMax: 2_048,
  cpuMsMax: 2_000,
  memoryBytesMax: 96 * 1024 * 1024,
  hangMsMax: 60_000,
})
