/** Figures of engines that are compared, each by its name, and their ratios. */
import type { Figure } from './measure.ts'

/** A figure that has no name yet. */
export type Measured = Omit<Figure, 'figure' | 'size'>

/** One of those that are compared. */
interface Named {
  readonly name: string
}

/** The figure of each engine, and the first to each of the others. */
export function* named(
  figure: string,
  size: number,
  engines: readonly Named[],
  figures: readonly Measured[],
  target?: string,
): Generator<Figure> {
  for (const [index, measured] of figures.entries()) {
    yield { ...measured, figure: `${figure}, ${engines[index]?.name ?? ''}`, size }
  }
  yield* ratios(figure, size, engines, figures, target)
}

/** The first engine's figure to that of each of the others. */
export function* ratios(
  figure: string,
  size: number,
  engines: readonly Named[],
  [ours, ...theirs]: readonly Measured[],
  target?: string,
): Generator<Figure> {
  for (const [index, their] of theirs.entries()) {
    const value = (ours?.value ?? NaN) / their.value
    const name = `${figure}, ratio to ${engines[index + 1]?.name ?? ''}`
    yield { figure: name, size, unit: 'x', value, ...(target === undefined ? {} : { target }) }
  }
}
