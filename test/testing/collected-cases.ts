import type { Runner } from '../../src/testing/index.ts'

/**
 * Runs a suite with a runner that only keeps the cases, so that a test can run one of them and see what becomes of it.
 *
 * @param register - hands the runner to the suite
 * @returns the cases by name; those that would be skipped too
 */
export function collectedCases(register: (runner: Runner) => void): ReadonlyMap<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  const keep = (name: string, run: () => Promise<void>): void => void cases.set(name, run)
  register({ describe: (_, body) => body(), it: Object.assign(keep, { skip: keep }) })
  return cases
}
