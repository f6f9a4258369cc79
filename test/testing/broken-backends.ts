/**
 * Backends that break one promise of the contract each, and the cases of the suite that have to say so.
 */
import { describe, expect, it } from 'vitest'
import type { Backend, Session, Watcher } from '../../src/core/backend.ts'
import { ConformanceError, backendSuite, modelBackend } from '../../src/testing/index.ts'
import type { BackendControl, ModelBackend } from '../../src/testing/index.ts'
import { collectedCases } from './collected-cases.ts'

/** Wraps each session; what it does not change goes through to the model. */
export type Breakage = (session: Session, shared: Shared) => Partial<Session>

/** The state that the sessions of one broken backend share. */
interface Shared {
  readonly model: ModelBackend
  readonly state: Map<string, number>
}

/** A backend with one thing wrong. */
export interface Broken {
  readonly what: string
  readonly breakage?: Breakage
  /** A fault of the backend itself. */
  readonly open?: (open: Backend['open']) => Backend['open']
  /** The case that has to fail; its name, whole. */
  readonly caughtBy: string
  /** Another hand on the engine than the model's own. */
  readonly control?: (model: ModelBackend) => BackendControl
  /** Faults of the model below, which a sound backend survives. */
  readonly faults?: (model: ModelBackend) => void
}

/** Of a case that has to fail, and may do so by waiting in vain. A case that has to pass has the suite's own. */
const PATIENCE_MS = 200

const ABILITIES = ['expire', 'disconnect', 'reconnect', 'reap', 'unreachable'] as const

/** Registers a test for each: its case passes on a sound backend, and fails on the broken one. */
export function biteSuite(all: readonly Broken[]): void {
  describe('the backend suite finds that', () => {
    for (const one of all) {
      const { what, caughtBy, control, faults } = one
      it(`${what} (by: ${caughtBy})`, async () => {
        const sound = modelBackend()
        faults?.(sound)
        await casesOf(sound, handOf(sound)).get(caughtBy)?.()
        const model = modelBackend()
        faults?.(model)
        const hand = control?.(model) ?? handOf(model)
        const run = casesOf(broken(model, one), hand, { patienceMs: PATIENCE_MS }).get(caughtBy)
        expect(run).toBeDefined()
        await expect(run?.()).rejects.toThrow(ConformanceError)
      })
    }
  })
}

/** Puts something between each watcher and its watch. */
export function watching(session: Session, wrap: (watch: Watcher, path: string) => Watcher): Partial<Session> {
  const wrapped = (path: string, watch?: Watcher): Watcher | undefined => (watch ? wrap(watch, path) : undefined)
  return {
    get: (path, watch) => session.get(path, wrapped(path, watch)),
    exists: (path, watch) => session.exists(path, wrapped(path, watch)),
    children: (path, watch) => session.children(path, wrapped(path, watch)),
  }
}

function casesOf(
  backend: Backend,
  control: BackendControl,
  patience: { readonly patienceMs?: number } = {},
): ReadonlyMap<string, () => Promise<void>> {
  const create = async () => ({ backend, control, close: async () => undefined })
  return collectedCases((runner) => {
    backendSuite(runner, { name: 'broken', create, abilities: ABILITIES, ...patience })
  })
}

function broken(model: ModelBackend, { breakage, open: breakOpen }: Broken): Backend {
  const state = new Map<string, number>()
  const open: Backend['open'] = async (options) => {
    const session = await model.open(options)
    const broken = breakage?.(session, { model, state }) ?? {}
    return Object.defineProperties<Session>(facade(session), Object.getOwnPropertyDescriptors(broken))
  }
  return { name: 'broken', capabilities: model.capabilities, open: breakOpen?.(open) ?? open }
}

/** The control of a sound model. */
function handOf({ control }: ModelBackend): BackendControl {
  const unreachable = (): Backend => {
    const backend = modelBackend()
    backend.control.refuseOpens(true)
    return backend
  }
  return { ...control, unreachable }
}

/** A session that passes everything on. */
function facade(session: Session): Session {
  return {
    id: session.id,
    timeoutMs: session.timeoutMs,
    get state() {
      return session.state
    },
    get leaseDeadlineMs() {
      return session.leaseDeadlineMs
    },
    onState: (listener) => session.onState(listener),
    create: (path, data, options) => session.create(path, data, options),
    get: (path, watch) => session.get(path, watch),
    exists: (path, watch) => session.exists(path, watch),
    children: (path, watch) => session.children(path, watch),
    set: (path, data, version) => session.set(path, data, version),
    delete: (path, version) => session.delete(path, version),
    multi: (operations) => session.multi(operations),
    sync: (path) => session.sync(path),
    unwatch: (path, watch) => session.unwatch(path, watch),
    close: () => session.close(),
  }
}
