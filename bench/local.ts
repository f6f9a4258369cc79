/** The suite `local`: one process, three servers, memory storage. */
import { measureElection } from './election.ts'
import { measureFanOut } from './fan-out.ts'
import { measureFloor } from './floor.ts'
import { measureHandOvers, measureLockCycles } from './locks.ts'
import type { Effort, Figure } from './measure.ts'
import { measureOperations } from './operations.ts'

const PARTS = [measureFloor, measureOperations, measureLockCycles, measureHandOvers, measureFanOut, measureElection]

/** Pairs of figures whose ratio says more than either of them, as figure and size. */
const RATIOS: readonly { readonly name: string; readonly of: [string, number]; readonly to: [string, number] }[] = [
  { name: 'promise round trip / get', of: ['promise round trip', 1], to: ['get', 1] },
  { name: 'promise round trip / set', of: ['promise round trip', 1], to: ['set', 1] },
  { name: 'event loop turn / set', of: ['event loop turn', 1], to: ['set', 1] },
  { name: 'async-mutex cycle / FairLock cycle', of: ['async-mutex cycle', 1], to: ['FairLock cycle', 1] },
  { name: 'async-mutex cycle / ExclusiveLock cycle', of: ['async-mutex cycle', 1], to: ['ExclusiveLock cycle', 1] },
  { name: 'hand-overs at 10 / at 100 contenders', of: ['hand-over', 10], to: ['hand-over', 100] },
]

/** Measures everything; a figure comes as soon as it is there. */
export async function* measureLocal(effort: Effort): AsyncGenerator<Figure> {
  const figures: Figure[] = []
  for (const measure of PARTS) {
    for await (const figure of measure(effort)) {
      figures.push(figure)
      yield figure
    }
  }
  const valueOf = ([name, size]: [string, number]): number =>
    figures.find(({ figure, size: its }) => figure === name && its === size)?.value ?? NaN
  for (const { name, of, to } of RATIOS) {
    yield { figure: name, size: to[1], unit: 'x', value: valueOf(of) / valueOf(to) }
  }
}
