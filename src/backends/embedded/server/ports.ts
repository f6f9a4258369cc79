/**
 * The ports of a server to its host: a pure machine has no source of chance of its own, and none of the modules of
 * Node.js. Besides, what several rooms of the server know: a choice of the host, and a record for it.
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
  /** Checks who clients are by SASL; absent where there is none. */
  readonly sasl?: SaslAuthority | undefined
  /** Whether the memory of the process is nearly used up; never by default. */
  readonly isFull?: () => boolean
}

/** Who knows the users of SASL. */
export interface SaslAuthority {
  /** Begins an exchange with one client. */
  begin(): SaslExchange
}

/** One exchange. */
export interface SaslExchange {
  /** Takes a token of the client. After it has proved or refused, it refuses all. */
  step(token: Uint8Array): SaslStep
}

/** The answer to a token. */
export type SaslStep =
  | { readonly kind: 'challenge'; readonly token: Uint8Array }
  /** The client has proved to be this user, who may bypass all lists. */
  | { readonly kind: 'proved'; readonly user: string; readonly isSuper: boolean; readonly token: Uint8Array }
  /** The user is null unless there is one of that name. */
  | { readonly kind: 'refused'; readonly user: string | null; readonly reason: string }

/** A client has failed to prove who it is, or has guessed at the password of the superuser. */
export interface AuthFailure {
  /** The kind of event. */
  readonly type: 'auth-failed'
  /** The client's session. */
  readonly sessionId: bigint
  /** Where it is; empty if it is in this process. */
  readonly address: string
  /** What it claimed to be, such as `sasl`; `?` for a scheme that nobody knows, which may be anything. */
  readonly scheme: string
  /** Whom it claimed to be; null unless there is somebody of that name. */
  readonly user: string | null
  /** Why it failed; never with what it showed. */
  readonly reason: string
  /** Whether it may have guessed: those who do are slowed down. */
  readonly isGuess: boolean
}

/** See {@link LocalSessionsMode}. */
export const LOCAL_SESSIONS_MODES = Object.freeze(['off', 'upgradeable', 'only'] as const)

/**
 * Whether a server alone knows its new sessions: never (`off`); until they ask for their first ephemeral node
 * (`upgradeable`); or always, and such a node is refused (`only`).
 */
export type LocalSessionsMode = (typeof LOCAL_SESSIONS_MODES)[number]

/** One operation of one client. */
export interface AuditRecord {
  /** The kind of event. */
  readonly type: 'audit'
  /** The client's session. */
  readonly sessionId: bigint
  /** Who the client was when it asked, as `scheme:id`. */
  readonly users: readonly string[]
  /** Where it is; empty if it is in this process. */
  readonly address: string
  /** The change, or the claim. */
  readonly operation: AuditedOperation
  /** The node; null if there is none, or the request could not be read. */
  readonly path: string | null
  /** The kind of a node that was to be created, as ZooKeeper calls it. */
  readonly nodeType: string | null
  /** The error number; 0 if it was done. */
  readonly err: number
}

/** As ZooKeeper calls them; `auth` is ours. */
export type AuditedOperation =
  | 'create' | 'delete' | 'setData' | 'setAcl' | 'multiOperation' | 'reconfig' | 'closeSession' | 'auth'
