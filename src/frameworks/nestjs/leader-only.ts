/**
 * `@LeaderOnly(path)`: a method that runs in the process that leads, and does nothing in the others.
 *
 * The application stands for each such path when it has started. It resigns when it ends, after the methods that run.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Inject } from '@nestjs/common'
import type { Client } from '../../core/client.ts'
import { whenAborted } from '../../core/async.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { validatePath } from '../../core/path.ts'
import { LeaderElection } from '../../recipes/leader/leader-election.ts'
import type { Leadership } from '../../recipes/leader/leadership.ts'
import { MethodNotes, injectedInto, wrapMethod } from './decorated-methods.ts'
import type { DecoratorFor } from './decorated-methods.ts'

const LEADERS = Symbol('leaderships for @LeaderOnly')
const leaderships = new AsyncLocalStorage<Leadership>()

/** The elections of decorated methods, by path. */
export const electionsOf = new MethodNotes<string>()

/**
 * Runs the method where this process leads; elsewhere a call resolves at once, and nothing is done.
 *
 * @param path - of the election
 * @throws TypeError if the path is none. The method rejects with `LEASE_LOST` if the leadership was lost while it ran,
 * and with a TypeError if Nest has not made its class
 */
export function LeaderOnly(path: string): DecoratorFor<(...args: never[]) => Promise<void>> {
  validatePath(path)
  return (target, name, descriptor) => {
    electionsOf.add(target, name, path)
    Inject(Leaderships)(target, LEADERS)
    wrapMethod(descriptor, (method) => async function (...args) {
      const leaders = injectedInto(this, LEADERS, '@LeaderOnly') as Leaderships
      await leaders.runLeading(path, () => method.apply(this, args))
    })
  }
}

/** The leadership of the innermost method with {@link LeaderOnly} that the caller runs in; undefined outside of one. */
export function currentLeadership(): Leadership | undefined {
  return leaderships.getStore()
}

/** The leaderships of this process. */
export class Leaderships {
  /** The leaderships that last, by path, each with the methods that run. */
  readonly #tenures = new Map<string, { readonly leadership: Leadership; readonly working: Set<Promise<unknown>> }>()

  /**
   * Stands in an election until the signal ends it, again after each loss.
   *
   * @param client - on whose session to stand
   * @param path - the election
   * @param signal - ends it; it resigns then, after the methods that run
   * @returns resolves when it was ended, or the client closed
   * @throws CoordinationError a refusal of the servers
   */
  async stand(client: Client, path: string, signal: AbortSignal): Promise<void> {
    const election = new LeaderElection(client, path)
    try {
      await election.run(async (leadership, ending) => this.#lead(path, leadership, ending), { signal })
    } catch (error) {
      if (!isCoordinationError(error, 'CLIENT_CLOSED')) throw error
    } finally {
      await election.close()
    }
  }

  /** Whether this process leads. */
  leads(path: string): boolean {
    const tenure = this.#tenures.get(path)
    return tenure !== undefined && tenure.leadership.leaseDeadlineMs > performance.now()
  }

  /**
   * Runs something as the leader, or does nothing.
   *
   * @throws CoordinationError `LEASE_LOST` if the leadership was lost meanwhile; before that, what the work throws
   */
  async runLeading(path: string, work: () => unknown): Promise<void> {
    const tenure = this.#tenures.get(path)
    if (tenure === undefined || !this.leads(path)) return
    const { leadership, working } = tenure
    const run = leaderships.run(leadership, async () => {
      await work()
    })
    const settled = run.catch(() => undefined)
    working.add(settled)
    try {
      await run
      leadership.throwIfLost()
    } finally {
      working.delete(settled)
    }
  }

  async #lead(path: string, leadership: Leadership, ending: AbortSignal): Promise<void> {
    const working = new Set<Promise<unknown>>()
    this.#tenures.set(path, { leadership, working })
    await new Promise<void>((resolve) => whenAborted(ending, () => resolve()))
    // From here on nothing begins; what has begun is waited for, as the next leader may then work beside nobody.
    this.#tenures.delete(path)
    await Promise.all(working)
  }
}
