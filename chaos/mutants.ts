/**
 * Servers that are wrong on purpose: proof that the checks of the chaos see what they are there for. A run that finds
 * nothing says something only if it finds these.
 *
 * Model     a patch of compiled code, as those of the simulation (sim/mutants): all servers run it, and suffer the
 *           faults in which it shows.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Edit } from '../sim/mutants/mutant.ts'
import { makeMutant } from '../sim/mutants/patch.ts'
import type { FaultKind } from './faults.ts'

/** One broken rule. */
export interface ChaosMutant {
  readonly name: string
  /** The rule, as it is broken. */
  readonly breaks: string
  readonly edits: readonly Edit[]
  /** The faults in which it shows. */
  readonly faults: readonly FaultKind[]
  /** The complaint that has to come of it. */
  readonly expected: RegExp
}

/** How long after it is acknowledged something is written, in milliseconds. */
const LATE_MS = 300

const HOST = 'backends/embedded/host/host.ts'
const PERSIST = 'const persisting = operations.length === 0 ? undefined : this.#options.storage.persist(operations)'
const PERSIST_LATE = [
  `const dueMs = performance.now() + ${LATE_MS}`,
  'const late = () => new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))',
  'const write = () => this.#options.storage.persist(operations)',
  'if (operations.length > 0) this.last = (this.last ?? Promise.resolve()).then(late).then(write)',
  'const persisting = undefined',
].join('; ')

/** All mutants. */
export const CHAOS_MUTANTS: readonly ChaosMutant[] = [
  {
    name: 'acknowledges-before-durable',
    breaks: `What is to be durable counts as durable at once, and is written ${LATE_MS} ms later.`,
    edits: [{ file: HOST, from: PERSIST, to: PERSIST_LATE }],
    faults: ['all-killed'],
    expected: /acknowledged nodes are lost/,
  },
  {
    name: 'stamps-its-own-time',
    breaks: 'A server gives a node that is changed the time by its own clock, and not that of the transaction.',
    edits: [{
      file: 'backends/embedded/server/state/tree.ts',
      from: 'node.mtime = at.time',
      to: 'node.mtime = Date.now()',
    }],
    faults: ['killed'],
    expected: /servers 1 and \d differ in \d+ nodes/,
  },
]

/**
 * Makes a mutant of the compiled code that this is part of.
 *
 * @returns the program of its servers
 */
export function mutantProgram({ name, edits }: ChaosMutant): string {
  const folder = fileURLToPath(new URL(`../../node_modules/.cache/quorate-chaos-${name}/`, import.meta.url))
  makeMutant({ edits }, { folder, assertions: 'on' })
  return join(folder, 'src/cli/main.js')
}
