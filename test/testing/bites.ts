/** Shows that a recipe suite finds recipes that break a promise. */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { ConformanceError, modelBackend } from '../../src/testing/index.ts'
import type { RecipeSuiteOptions } from '../../src/testing/index.ts'

/** A recipe that breaks one promise. */
export interface Broken<Make> {
  readonly what: string
  readonly make: Make
  /** The case that has to fail; its name, whole. */
  readonly caughtBy: string
}

/** Of a case that has to fail, and may do so by a wait that runs out. A case that has to pass has the suite's own. */
const PATIENCE_MS = 300

/** Registers a test for each broken recipe: a sound one passes the case, the broken one does not. */
export function bites<Make>(
  recipe: string,
  broken: readonly Broken<Make>[],
  sound: Make,
  casesOf: (engine: RecipeSuiteOptions, make: Make) => ReadonlyMap<string, () => Promise<void>>,
): void {
  describe(`the suite of a ${recipe} finds that`, () => {
    for (const { what, make, caughtBy } of broken) {
      it(`${what} (by: ${caughtBy})`, async () => {
        const caseOf = (tested: Make, patience: Pick<RecipeSuiteOptions, 'patienceMs'>) => {
          const backend = modelBackend()
          const connected = (): Promise<Client> => connect(backend, { onError: () => undefined })
          const engine = { name: what, connect: connected, control: backend.control, ...patience }
          return casesOf(engine, tested).get(caughtBy)
        }
        await caseOf(sound, {})?.()
        const run = caseOf(make, { patienceMs: PATIENCE_MS })
        expect(run).toBeDefined()
        await expect(run?.()).rejects.toThrow(ConformanceError)
      })
    }
  })
}
