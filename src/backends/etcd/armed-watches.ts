/**
 * The watches of one session: callbacks that wait, each for the first change after the revision at which it was armed.
 *
 * Model     a watch is fired by the stream of changes. A read compares, at its own revision, the watched nodes with the
 *           state that armed the watches: where they differ, an event is on its way, and the reply waits for it.
 * Order     a change that arrives before the reply of the read that arms a watch is kept, as that reply may be older.
 */
import type { WatchEvent, Watcher } from '../../core/backend.ts'
import { Deadline, deferred } from '../../core/async.ts'
import { parentOf } from '../../core/path.ts'
import { wakes } from '../../core/session/wakes.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import type { Answer, ReadPlan } from './read-plan.ts'
import type { Change } from './watch-hub.ts'

/** The part of a read's answer that concerns watches on the node. */
export interface Glimpse {
  /** When the node was made; 0 if there is none. */
  readonly created: bigint
  readonly modified: bigint
  /** When the count of its children last changed. */
  readonly counted: bigint
  readonly numChildren: number
}

/** A read of what the watches of a path wait for, and the plan that it is part of. */
export interface Look {
  readonly path: string
  readonly glimpse: Answer<Glimpse>
  readonly plan: ReadPlan
}

/** A watch whose state differs from what a read has shown. */
export interface Difference {
  readonly watch: ArmedWatch
  readonly glimpse: Glimpse
}

const NOTHING: Glimpse = Object.freeze({ created: 0n, modified: 0n, counted: 0n, numChildren: 0 })

/** One watch. */
export class ArmedWatch {
  readonly kind: WatchedRead
  readonly path: string
  readonly callback: Watcher
  /** `reading` until the read that arms it is answered, `firing` until the callback has run. */
  phase: 'reading' | 'armed' | 'firing' | 'over' = 'reading'
  /** The revision at which it was armed, and what the read showed there. */
  revision = 0n
  glimpse: Glimpse = NOTHING
  /** Events that came while it was `reading`. */
  readonly early: { readonly revision: bigint; readonly type: WatchEvent['type'] }[] = []
  /** Called when it waits no longer. */
  readonly waiting = new Set<() => void>()

  /** Makes a watch that rides on a read without an answer. */
  constructor(kind: WatchedRead, path: string, callback: Watcher) {
    this.kind = kind
    this.path = path
    this.callback = callback
  }

  /** Whether what a read shows is not what it was armed with. */
  differsFrom(glimpse: Glimpse): boolean {
    const armed = this.glimpse
    if (glimpse.created !== armed.created) return true
    if (this.kind !== 'children') return glimpse.modified !== armed.modified
    return glimpse.counted !== armed.counted || glimpse.numChildren !== armed.numChildren
  }

  /** The type of the event that explains what a read shows now. */
  typeOf(glimpse: Glimpse): WatchEvent['type'] {
    if (this.glimpse.created === 0n) return 'created'
    if (glimpse.created !== this.glimpse.created) return 'deleted'
    return this.kind === 'children' ? 'children' : 'changed'
  }
}

/** The watches of one session. */
export class ArmedWatches {
  readonly #byPath = new Map<string, Set<ArmedWatch>>()
  readonly #firing = new Set<ArmedWatch>()
  readonly #deliver: (task: () => void) => void
  readonly #call: (callback: () => unknown) => void

  /**
   * @param deliver - runs a task after all that was delivered before
   * @param call - calls back and reports what is thrown
   */
  constructor(deliver: (task: () => void) => void, call: (callback: () => unknown) => void) {
    this.#deliver = deliver
    this.#call = call
  }

  /** How many paths are watched, or will be by a read that is on its way. */
  get pathCount(): number {
    return this.#byPath.size
  }

  /** Takes a watch whose read is on its way. */
  reading(watch: ArmedWatch): void {
    const watches = this.#byPath.get(watch.path)
    if (watches === undefined) this.#byPath.set(watch.path, new Set([watch]))
    else watches.add(watch)
  }

  /** The read was answered: from here on it waits for changes after the revision of the answer. */
  arm(watch: ArmedWatch, revision: bigint, glimpse: Glimpse): void {
    if (watch.phase !== 'reading') return
    watch.phase = 'armed'
    watch.revision = revision
    watch.glimpse = glimpse
    const first = watch.early.find((change) => change.revision > revision)
    if (first !== undefined) this.#fire(watch, first.type)
  }

  /** Forgets a watch: its read armed nothing. */
  drop(watch: ArmedWatch): void {
    this.#remove(watch)
    this.#firing.delete(watch)
    this.#end(watch)
  }

  /** Forgets every watch of a path with this callback. */
  unwatch(path: string, callback: Watcher): void {
    const watches = [...(this.#byPath.get(path) ?? []), ...this.#firing]
    for (const watch of watches) if (watch.path === path && watch.callback === callback) this.drop(watch)
  }

  /** Forgets all: the session is over. */
  clear(): void {
    for (const watches of [...this.#byPath.values()]) for (const watch of [...watches]) this.drop(watch)
    for (const watch of [...this.#firing]) this.drop(watch)
  }

  /** Fires what changes concern. */
  onChanges(revision: bigint, changes: readonly Change[]): void {
    if (this.#byPath.size === 0) return
    for (const change of changes) {
      if (change.type === 'session-over') continue
      this.#onChange(revision, change.type, change.path)
      if (change.type !== 'changed') this.#onChange(revision, 'children', parentOf(change.path))
    }
  }

  /**
   * Reads what the armed watches are to be compared with.
   *
   * @param planFor - gives a plan that has room for a number of reads
   * @returns for each path what its read shows
   */
  glimpses(planFor: (ops: number) => ReadPlan): readonly Look[] {
    return [...this.#byPath].flatMap(([path, watches]) => {
      const armed = [...watches].filter(({ phase }) => phase === 'armed')
      if (armed.length === 0) return []
      const hasChildren = armed.some(({ kind }) => kind === 'children')
      const plan = planFor(hasChildren ? 3 : 1)
      const revisions = plan.revisions(path)
      if (!hasChildren) return [{ path, plan, glimpse: (answers) => ({ ...NOTHING, ...revisions(answers) }) }]
      const [count, numChildren] = [plan.counted(path), plan.numChildren(path)]
      const glimpse: Answer<Glimpse> = (answers) => {
        return { ...revisions(answers), counted: count(answers), numChildren: numChildren(answers) }
      }
      return [{ path, plan, glimpse }]
    })
  }

  /** The watches of a path that are armed, since before a revision, with something else than a read at it shows. */
  differing(path: string, revision: bigint, glimpse: Glimpse): Difference[] {
    const watches = [...(this.#byPath.get(path) ?? [])]
    return watches
      .filter((watch) => watch.phase === 'armed' && watch.revision < revision && watch.differsFrom(glimpse))
      .map((watch) => ({ watch, glimpse }))
  }

  /**
   * Waits until none of these watches waits any longer.
   *
   * @param limitMs - longest wait in milliseconds
   * @returns whether none is left
   */
  async untilFired(differences: readonly Difference[], limitMs: number): Promise<boolean> {
    const left = new Set(differences.map(({ watch }) => watch).filter(({ phase }) => phase === 'armed'))
    if (left.size === 0 || limitMs <= 0) return left.size === 0
    const { promise, resolve } = deferred<boolean>()
    const endMs = performance.now() + limitMs
    const limit = new Deadline(() => endMs, () => resolve(false))
    limit.start()
    const stops = [...left].map((watch) => {
      const told = (): void => {
        left.delete(watch)
        if (left.size === 0) resolve(true)
      }
      watch.waiting.add(told)
      return () => watch.waiting.delete(told)
    })
    const isDone = await promise
    limit.stop()
    for (const stop of stops) stop()
    return isDone
  }

  /** Fires those that still wait by what a read has shown, earlier changes first as far as that can be told. */
  fireFrom(differences: readonly Difference[]): void {
    const order = ({ modified, counted }: Glimpse): bigint => (modified > counted ? modified : counted)
    const sorted = [...differences].sort((a, b) => Number(order(a.glimpse) - order(b.glimpse)))
    for (const { watch, glimpse } of sorted) if (watch.phase === 'armed') this.#fire(watch, watch.typeOf(glimpse))
  }

  #onChange(revision: bigint, type: WatchEvent['type'], path: string): void {
    for (const watch of [...(this.#byPath.get(path) ?? [])]) {
      if (!wakes(type, watch.kind)) continue
      if (watch.phase === 'reading') watch.early.push({ revision, type })
      else if (watch.phase === 'armed' && revision > watch.revision) this.#fire(watch, type)
    }
  }

  #fire(watch: ArmedWatch, type: WatchEvent['type']): void {
    this.#remove(watch)
    watch.phase = 'firing'
    this.#firing.add(watch)
    this.#deliver(() => {
      if (!this.#firing.delete(watch)) return
      this.#call(() => watch.callback({ type, path: watch.path }))
    })
    for (const told of [...watch.waiting]) told()
  }

  #remove(watch: ArmedWatch): void {
    const watches = this.#byPath.get(watch.path)
    if (watches?.delete(watch) === true && watches.size === 0) this.#byPath.delete(watch.path)
  }

  #end(watch: ArmedWatch): void {
    watch.phase = 'over'
    for (const told of [...watch.waiting]) told()
  }
}
