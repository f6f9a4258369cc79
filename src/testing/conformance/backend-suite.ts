/**
 * The conformance suite of backends: what an engine has to pass to carry the recipes.
 *
 * Use       backendSuite({ describe, it, afterAll }, { name: 'mine', create, abilities: ['expire', 'disconnect'] })
 * Silence   that something does not happen is asserted after a `sync` and a read of the same session, never by
 *           waiting.
 * Source    core/backend.ts, sentence by sentence; docs/guide/write-a-backend.md.
 */
import type { Capabilities } from '../../core/backend.ts'
import { capabilityCases } from './capability-cases.ts'
import { PATIENCE_MS, BackendWorld, register } from './case.ts'
import type { BackendControl, Case, Runner, Subject } from './case.ts'
import { ephemeralCases } from './ephemeral-cases.ts'
import { ok } from './expect.ts'
import { lifecycleCases } from './lifecycle-cases.ts'
import { multiCases } from './multi-cases.ts'
import { nodeCases } from './node-cases.ts'
import { orderCases } from './order-cases.ts'
import { sequenceCases } from './sequence-cases.ts'
import { sessionLossCases } from './session-loss-cases.ts'
import { stateCases } from './state-cases.ts'
import { watchCases } from './watch-cases.ts'
import { watchMatrixCases } from './watch-matrix-cases.ts'

/** The subject and options of {@link backendSuite}. */
export interface BackendSuiteOptions {
  /** Stands in the title. */
  readonly name: string
  /** Starts the engine: once for the suite if the runner has `afterAll`, otherwise once for each case. */
  readonly create: () => Promise<Subject>
  /**
   * Methods of the subject's `control`. Cases that need more are registered as skips, with the reason in their names.
   */
  readonly abilities?: readonly (keyof BackendControl)[]
  /** How long a case waits for what has to happen, in milliseconds; 5,000 by default. */
  readonly patienceMs?: number
}

const GROUPS: readonly (readonly [string, readonly Case<BackendWorld>[]])[] = [
  ['life of a session', lifecycleCases],
  ['every operation in every state', stateCases],
  ['nodes', nodeCases],
  ['sequential nodes', sequenceCases],
  ['ephemeral nodes', ephemeralCases],
  ['watch matrix', watchMatrixCases],
  ['watches', watchCases],
  ['multi', multiCases],
  ['order', orderCases],
  ['loss of sessions and connections', sessionLossCases],
  ['capabilities', capabilityCases],
]

/** A case that asks for less than its name says. */
export interface ConformanceGap {
  /** Name of the case. */
  readonly name: string
  /** Whether it is not run at all, or asks for a refusal instead. */
  readonly kind: 'skipped' | 'refused'
  /** The capability of the engine, or the method of `control`, that is missing. */
  readonly reason: string
}

/**
 * Lists the cases that the suite does not run on an engine, or runs as a refusal.
 *
 * @param capabilities - those of the engine
 * @param abilities - the methods that its `control` has
 * @returns the cases that are skipped, or ask for a refusal
 */
export function conformanceGaps(
  capabilities: Capabilities,
  abilities: readonly (keyof BackendControl)[],
): readonly ConformanceGap[] {
  return GROUPS.flatMap(([, cases]) => cases).flatMap(({ name, needs = [], lacks }): ConformanceGap[] => {
    const missing = needs.filter((ability) => !abilities.includes(ability)).map((ability) => `control.${ability}`)
    if (missing.length > 0) return [{ name, kind: 'skipped', reason: `needs ${missing.join(', ')}` }]
    const reason = lacks?.(capabilities) ?? null
    return reason === null ? [] : [{ name, kind: 'refused', reason }]
  })
}

/**
 * Registers the cases that every backend has to pass.
 *
 * @param runner - `describe` and `it` of a test runner, and its `afterAll` if the engine is slow to start
 * @param options - the backend to test
 */
export function backendSuite(runner: Runner, options: BackendSuiteOptions): void {
  const { name, create, abilities = [], patienceMs = PATIENCE_MS } = options
  let shared: Promise<Subject> | null = null
  const start = async (): Promise<Subject> => {
    const subject = await create()
    for (const ability of abilities) ok(subject.control?.[ability] !== undefined, `${name} has control.${ability}`)
    return subject
  }
  const run = async (body: (world: BackendWorld) => Promise<void>): Promise<void> => {
    if (runner.afterAll !== undefined) return BackendWorld.run(await (shared ??= start()), patienceMs, body)
    const subject = await start()
    await BackendWorld.run(subject, patienceMs, body).finally(() => subject.close())
  }
  runner.describe(`backend ${name}`, () => {
    runner.afterAll?.(async () => (await shared)?.close())
    for (const [title, cases] of GROUPS) register(runner, title, cases, (ability) => abilities.includes(ability), run)
  })
}
