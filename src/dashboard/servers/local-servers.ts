/** Servers in this process: an embedded ensemble, or its one member that runs here. */
import type { EnsembleEvent, EnsembleServerStatus, EnsembleSession } from '../../backends/embedded/index.ts'

/** The part of `Ensemble` and `EnsembleMember` that tells of servers. */
export interface LocalServers {
  /** Where they stand. */
  status(): EnsembleServerStatus | readonly EnsembleServerStatus[]
  /** The open sessions. */
  sessions(): readonly EnsembleSession[]
  /** Tells what happens to them; the function that is returned ends that. */
  onEvent(listener: (event: EnsembleEvent) => void): () => void
}
