/** Every recipe with the suite that it has to pass, for the tests of each backend. */
import { describe, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Backend } from '../../src/core/backend.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { configHistorySuite, configSuite, lockSuite, membershipSuite } from '../../src/testing/index.ts'
import type { BackendControl } from '../../src/testing/index.ts'

/** Registers the suites of all recipes on a backend. */
export function recipeSuites(backend: Backend, control: BackendControl): void {
  const runner = { describe, it }
  const engine = {
    // What is stored wrong on purpose is reported here, and elsewhere, which the cases look at.
    connect: () => connect(backend, { onError: () => undefined }),
    control,
  }
  lockSuite(runner, { ...engine, name: 'FairLock', makeLock: (client, path) => new FairLock(client, path) })
  lockSuite(runner, { ...engine, name: 'ExclusiveLock', makeLock: (client, path) => new ExclusiveLock(client, path) })
  configSuite(runner, {
    ...engine,
    name: 'ConfigCenter',
    makeConfig: (client, path, schema) => new ConfigCenter(client, path, { schema }),
  })
  configSuite(runner, {
    ...engine,
    name: 'ConfigCenter with a history',
    makeConfig: (client, path, schema) => new ConfigCenter(client, path, { schema, history: true }),
  })
  configHistorySuite(runner, {
    ...engine,
    name: 'ConfigCenter',
    makeConfig: (client, path, entriesMax) => new ConfigCenter<number>(client, path, { history: { entriesMax } }),
  })
  membershipSuite(runner, {
    ...engine,
    name: 'GroupMembership',
    makeGroup: (client, path) => new GroupMembership<string>(client, path),
  })
}
