/** All checks that know nothing of what the clients do. */
import type { Check } from '../check.ts'
import { Ledger } from '../ledger.ts'
import type { Tap } from '../tap.ts'
import type { World } from '../world.ts'
import { ElectionsCheck } from './elections.ts'
import { LeadershipCheck } from './leadership.ts'
import { LeftoversCheck } from './leftovers.ts'
import { OutcomesCheck } from './outcomes.ts'
import { PromisesCheck } from './promises.ts'
import { ReadsCheck } from './reads.ts'
import { ReplicasCheck } from './replicas.ts'
import { SessionsCheck } from './sessions.ts'
import { WatchCallbacksCheck } from './watch-callbacks.ts'
import { WatchMessagesCheck } from './watch-messages.ts'
import { WritesCheck } from './writes.ts'

/**
 * Makes the checks of a world that has not run yet.
 *
 * @param world - the world; its disks are looked at from now on
 * @param tap - the tap of this world
 * @returns the checks, the ledger first: the others look at what it has taken in
 */
export function createChecks(world: World, tap: Tap): Check[] {
  const ledger = new Ledger(world)
  return [
    ledger,
    new LeadershipCheck(world, ledger),
    new PromisesCheck(world, ledger, tap),
    new ReplicasCheck(world, ledger),
    new WritesCheck(ledger, tap),
    new ReadsCheck(ledger, tap),
    new OutcomesCheck(ledger, tap),
    new WatchMessagesCheck(ledger, tap),
    new WatchCallbacksCheck(ledger, tap),
    new SessionsCheck(world, ledger, tap),
    new ElectionsCheck(world),
    new LeftoversCheck(world, ledger, tap),
  ]
}
