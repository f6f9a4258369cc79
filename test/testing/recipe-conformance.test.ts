import { describe, it } from 'vitest'
import { connect } from '../../src/core/client.ts'
import { ConfigCenter } from '../../src/recipes/config-center.ts'
import { ExclusiveLock } from '../../src/recipes/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/fair-lock.ts'
import { GroupMembership } from '../../src/recipes/group-membership.ts'
import { configSuite, lockSuite, membershipSuite, modelBackend } from '../../src/testing/index.ts'

const backend = modelBackend()
const engine = {
  // What is stored wrong on purpose is reported here, and elsewhere, which the cases look at.
  connect: () => connect(backend, { onError: () => undefined }),
  control: backend.control,
}

lockSuite(
  { describe, it },
  { ...engine, name: 'FairLock', makeLock: (client, path) => new FairLock(client, path) },
)
lockSuite(
  { describe, it },
  { ...engine, name: 'ExclusiveLock', makeLock: (client, path) => new ExclusiveLock(client, path) },
)
configSuite(
  { describe, it },
  { ...engine, name: 'ConfigCenter', makeConfig: (client, path, schema) => new ConfigCenter(client, path, { schema }) },
)
membershipSuite(
  { describe, it },
  { ...engine, name: 'GroupMembership', makeGroup: (client, path) => new GroupMembership<string>(client, path) },
)
