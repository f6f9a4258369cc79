/** The part of a world that checks see: enough to judge it, and little enough to write a wrong one by hand. */
import type { Backend } from '../src/core/backend.ts'
import type { MemoryContents } from '../src/backends/embedded/host/storage/memory.ts'
import type { ServerInspection } from '../src/backends/embedded/server/inspection.ts'
import type { ServerStatus } from '../src/backends/embedded/server/ready.ts'
import type { DiskObserver } from '../src/testing/simulation/disk.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { NetworkTap } from '../src/testing/simulation/network-tap.ts'
import type { WorldEvent, WorldOptions } from '../src/testing/simulation/world.ts'

/** One server, as checks see it. */
export interface CheckedServer {
  readonly id: number
  readonly node: SimNode
  readonly disk: { observer: DiskObserver | null; readonly contents: MemoryContents }
  /** Its present life; null while it is down. */
  host(): CheckedHost | null
}

/** One life of a server, as checks see it. */
export interface CheckedHost {
  status(): ServerStatus
  snapshot(): Uint8Array
  /** Asked only where the ensemble has begun on the files of ZooKeepers. */
  inspect?(): Pick<ServerInspection, 'confirmedZxid'>
}

/** A world, as checks see it. */
export interface CheckedWorld {
  readonly kernel: { readonly nowMs: number; readonly latest: SimNode | null; fail(error: unknown): void }
  readonly network: { tap: NetworkTap | null }
  /** By id, from 1. */
  readonly servers: readonly CheckedServer[]
  readonly voters: readonly CheckedServer[]
  readonly events: readonly WorldEvent[]
  readonly watchers: ((event: WorldEvent) => void)[]
  readonly options: Pick<WorldOptions, 'server' | 'carriedOver'>
  wrapBackend: (backend: Backend, node: SimNode) => Backend
}
