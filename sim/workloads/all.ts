/** Every workload, by name. */
import type { MakeWorkload } from '../workload.ts'
import { makeConfig } from './config.ts'
import { makeKeys } from './keys.ts'
import { makeLocks } from './locks.ts'
import { makeMembership } from './membership.ts'
import { makeRaw } from './raw.ts'
import { makeSharing } from './sharing.ts'

/** The workloads that a seed may draw. */
export const WORKLOADS: Readonly<Record<string, MakeWorkload>> = Object.freeze({
  keys: makeKeys,
  raw: makeRaw,
  locks: makeLocks,
  config: makeConfig,
  membership: makeMembership,
  sharing: makeSharing,
})
