/**
 * How much of its memory the process uses.
 *
 * Heap      the old generation alone, as the process ends when that is full. The engine tells a limit of the whole
 *           heap, which has room for three semi-spaces of the young one in it.
 * Beside it data of nodes are no part of the heap. Of heap and data together the limit is that of the container or the
 *           machine.
 */
import { totalmem } from 'node:os'
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8'

const PERCENT = 100
const MIB = 0x10_0000
/** The engine's own maximum of a semi-space on 64 bits, and how many of them the limit has room for. */
const SEMI_SPACE_MIB = 16
const SEMI_SPACES = 3
const SEMI_SPACE_OPTION = /--max[-_]semi[-_]space[-_]size=(\d+)/
/** The spaces that are not of the old generation. */
const OTHER_SPACES: ReadonlySet<string> = new Set(['new_space', 'new_large_object_space', 'read_only_space'])

const youngBytes = youngBytesOf([...process.execArgv, process.env['NODE_OPTIONS'] ?? ''])

/** The greater of the two shares, in percent. */
export function memoryPercent(): number {
  const { heap_size_limit: limit, used_heap_size: used, external_memory: external } = getHeapStatistics()
  const old = getHeapSpaceStatistics().reduce((sum, { space_name: name, space_used_size: size }) => {
    return OTHER_SPACES.has(name) ? sum : sum + size
  }, 0)
  return PERCENT * Math.max(old / Math.max(1, limit - youngBytes), (used + external) / processLimit())
}

/** The room that options of Node.js give the young generation at most. */
export function youngBytesOf(options: readonly string[]): number {
  const [, mib] = SEMI_SPACE_OPTION.exec(options.join(' ')) ?? []
  return SEMI_SPACES * MIB * (mib === undefined ? SEMI_SPACE_MIB : Number(mib))
}

/** The limit of the container, if it has one, or the memory of the machine. */
function processLimit(): number {
  const all = totalmem()
  const constrained = process.constrainedMemory()
  return constrained > 0 && constrained < all ? constrained : all
}
