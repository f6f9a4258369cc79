/**
 * The ports of a server to its host: a pure machine has no source of chance of its own, and none of the modules of
 * Node.js. Besides, a choice of the host that several rooms of the server know.
 */

/** Where a server's randomness comes from. */
export interface RandomSource {
  /** An integer from 0 to 2^32 - 1. */
  u32(): number
  /** Bytes that nobody can guess, for session passwords. */
  bytes(length: number): Uint8Array
}

/** Everything that a server asks of its host. */
export interface ServerPorts {
  readonly random: RandomSource
  /**
   * SHA-1, 20 bytes: ZooKeeper's digest scheme keeps this of a password, on the wire and in stored lists. It is
   * good for that only: a secret that must be hard to find from its hash needs another one.
   */
  readonly digest: (bytes: Uint8Array) => Uint8Array
}

/** See {@link LocalSessionsMode}. */
export const LOCAL_SESSIONS_MODES = Object.freeze(['off', 'upgradeable', 'only'] as const)

/**
 * Whether a server alone knows its new sessions: never (`off`); until they ask for their first ephemeral node
 * (`upgradeable`); or always, and such a node is refused (`only`).
 */
export type LocalSessionsMode = (typeof LOCAL_SESSIONS_MODES)[number]
