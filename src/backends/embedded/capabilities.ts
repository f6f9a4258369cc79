/** The capabilities of the embedded backend. */
import type { Capabilities } from '../../core/backend.ts'
import { REQUEST_BYTES_MAX } from './server/config.ts'

/** Part of a request that is not its data: its path, mostly. */
const REQUEST_OVERHEAD_BYTES = 4_096

/** The capabilities of servers in memory. */
export const CAPABILITIES: Capabilities = Object.freeze({
  durability: 'memory',
  linearizableSync: true,
  comparesCreations: true,
  containers: true,
  ttlGranularityMs: 1,
  acl: false,
  dataBytesMax: REQUEST_BYTES_MAX - REQUEST_OVERHEAD_BYTES,
})

/** The capabilities of servers with a data directory. */
export const DURABLE_CAPABILITIES: Capabilities = Object.freeze({ ...CAPABILITIES, durability: 'disk' })
