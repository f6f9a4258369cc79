/**
 * Prints the run's result as one plain last line, for machines: `12 passed, 0 failed`, or with `, 1 skipped` after it.
 */
import type { Reporter, TestModule } from 'vitest/node'

/** The numbers in the closing line. */
export interface Counts {
  /** Tests that passed. */
  readonly passed: number
  /** Tests that failed, and errors outside any test. */
  readonly failed: number
  /** Tests that did not run. */
  readonly skipped: number
}

/**
 * Writes the closing line.
 *
 * @param counts - the numbers
 * @returns the line without its line feed
 */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** The reporter; it goes last in the list. */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) {
      counts.failed += module.errors().length
      for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        // A test that never got to a result in a finished run was interrupted.
        counts[state === 'pending' ? 'failed' : state] += 1
      }
    }
    // Other reporters print their summary in this same turn: this line comes after it.
    setImmediate(() => process.stdout.write(`\n${closingLine(counts)}\n`))
  }
}
