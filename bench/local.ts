/** The suite `local`: one process, three servers, memory storage. */
import { measureElection } from './election.ts'
import { measureFanOut } from './fan-out.ts'
import { measureFloor } from './floor.ts'
import { measureHandOvers, measureLockCycles } from './locks.ts'
import type { Effort, Figure } from './measure.ts'
import { measureOperations } from './operations.ts'

const PARTS = [measureFloor, measureOperations, measureLockCycles, measureHandOvers, measureFanOut, measureElection]

/** Ratios of costs, by the number that other work on the machine changes least. */
const RATIOS: readonly Ratio[] = [
  { of: ['get', 1], to: ['promise round trip', 1], by: 'cpuUs' },
  { of: ['set', 1], to: ['promise round trip', 1], by: 'cpuUs' },
  { of: ['set', 1], to: ['event loop turn', 1], by: 'cpuUs' },
  { of: ['FairLock cycle', 1], to: ['async-mutex cycle', 1], by: 'cpuUs' },
  { of: ['ExclusiveLock cycle', 1], to: ['async-mutex cycle', 1], by: 'cpuUs' },
  { of: ['hand-over', 100], to: ['hand-over', 10], by: 'p50Ms' },
]

interface Ratio {
  readonly of: readonly [figure: string, size: number]
  readonly to: readonly [figure: string, size: number]
  readonly by: 'cpuUs' | 'p50Ms'
}

/** Measures everything; a figure comes as soon as it is there. */
export async function* measureLocal(effort: Effort): AsyncGenerator<Figure> {
  const figures: Figure[] = []
  for (const measure of PARTS) {
    for await (const figure of measure(effort)) {
      figures.push(figure)
      yield figure
    }
  }
  for (const { of, to, by } of RATIOS) {
    const costOf = ([name, size]: Ratio['of']): number =>
      figures.find((its) => its.figure === name && its.size === size)?.[by] ?? NaN
    yield { figure: `${of[0]} / ${to.join(' @ ')}`, size: of[1], unit: 'x', value: costOf(of) / costOf(to) }
  }
}
