/**
 * How much of its memory the process uses: of the heap, whose limit the engine tells, and of heap and data beside it, for
 * which the machine or its container has a limit. Data of nodes are beside the heap.
 */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

const PERCENT = 100

/** The greater of the two shares, in percent. */
export function memoryPercent(): number {
  const { used_heap_size: used, heap_size_limit: limit, external_memory: external } = getHeapStatistics()
  return PERCENT * Math.max(used / limit, (used + external) / processLimit())
}

/** The limit of the container, if it has one, or the memory of the machine. */
function processLimit(): number {
  const all = totalmem()
  const constrained = process.constrainedMemory()
  return constrained > 0 && constrained < all ? constrained : all
}
