/** Recipes of other libraries, by programs in their languages that do the same cycles and time them themselves. */
import { join } from 'node:path'
import { startPartner } from '../test/polyglot/partner.ts'
import type { Partner } from '../test/polyglot/partner.ts'
import { hasCurator, hasKazoo, java, python } from '../test/polyglot/programs.ts'
import type { Command } from '../test/polyglot/programs.ts'
import type { Round } from './measure.ts'

/** A recipe that a program has open. */
export interface RivalCycle {
  /** Does it for some time. Processor time is not told. */
  round(durationMs: number): Promise<Round>
  close(): Promise<void>
}

/** A program that runs. */
export interface Rival extends AsyncDisposable {
  readonly name: string
  /** Opens a recipe, with a session for each lane; null if the library has none. */
  open(recipe: string, lanes: number, path: string): Promise<RivalCycle | null>
}

/** The answer to `open` for what a library does not have. */
const NONE = 'none'

const RIVALS: readonly { readonly name: string; readonly isHere: boolean; readonly command: CommandIn }[] = [
  // As a server runs it: with the JVM's own compilers, and the collector that serves it best on two cores.
  {
    name: 'Curator',
    isHere: hasCurator,
    command: (folder) => java(join(folder, 'CuratorCycles.java'), ['-XX:+UseSerialGC', '-Xmx512m']),
  },
  { name: 'kazoo', isHere: hasKazoo, command: (folder) => python(join(folder, 'kazoo_cycles.py')) },
]

type CommandIn = (folder: string) => Command

/**
 * Starts the programs of all libraries that are installed; what is missing is told.
 *
 * @param folder - an absolute path: where their sources are
 */
export function startRivals(folder: string, connectString: string): Rival[] {
  return RIVALS.flatMap(({ name, isHere, command }) => {
    if (isHere) return [new ProgramRival(name, startPartner(command(folder), [connectString]))]
    console.error(`${name} is left out: it is not installed`)
    return []
  })
}

class ProgramRival implements Rival {
  readonly name: string
  readonly #program: Partner

  constructor(name: string, program: Partner) {
    this.name = name
    this.#program = program
  }

  async open(recipe: string, lanes: number, path: string): Promise<RivalCycle | null> {
    const ask = this.#program.actor('bench')
    if ((await ask('open', recipe, lanes, path)) === NONE) return null
    return {
      round: async (durationMs) => {
        const [lasted = NaN, ...latencies] = (await ask('round', durationMs)).split(' ').map(Number)
        return { done: latencies.length, durationMs: lasted, latencies, cpuUs: NaN }
      },
      close: async () => {
        await ask('close')
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]()
  }
}
