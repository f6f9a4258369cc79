/** All checks that know nothing of what the clients do. */
import type { Check } from '../check.ts'
import type { Ledger } from '../ledger.ts'
import type { Tap } from '../tap.ts'
import type { CheckedWorld } from '../checked-world.ts'
import { ConfigurationsCheck } from './configurations.ts'
import { DiscoveryCheck } from './discovery.ts'
import { ElectionsCheck } from './elections.ts'
import { LeadershipCheck } from './leadership.ts'
import { LeftoversCheck } from './leftovers.ts'
import { OutcomesCheck } from './outcomes.ts'
import { PromisesCheck } from './promises.ts'
import { ReadsCheck } from './reads.ts'
import { ReplicasCheck } from './replicas.ts'
import { SessionsCheck } from './sessions.ts'
import { SyncsCheck } from './syncs.ts'
import { WatchCallbacksCheck } from './watch-callbacks.ts'
import { WatchMessagesCheck } from './watch-messages.ts'
import { WritesCheck } from './writes.ts'

/**
 * Makes the checks of a world that has not run yet.
 *
 * @param tap - the tap of this world
 * @param ledger - the ledger of this world; more checks may listen to it
 * @returns the checks, the ledger first: the others look at what it has taken in
 */
export function createChecks(world: CheckedWorld, tap: Tap, ledger: Ledger): Check[] {
  return [
    ledger,
    new LeadershipCheck(world, ledger),
    new PromisesCheck(world, ledger, tap),
    new ConfigurationsCheck(world, ledger),
    new DiscoveryCheck(ledger, tap),
    new ReplicasCheck(world, ledger),
    new WritesCheck(ledger, tap),
    new ReadsCheck(ledger, tap),
    new SyncsCheck(ledger, tap),
    new OutcomesCheck(ledger, tap),
    new WatchMessagesCheck(ledger, tap),
    new WatchCallbacksCheck(ledger, tap),
    new SessionsCheck(world, ledger, tap),
    new ElectionsCheck(world),
    new LeftoversCheck(world, ledger, tap),
  ]
}
