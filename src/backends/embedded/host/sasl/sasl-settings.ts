/** The settings of SASL for clients, and the events about its files. */

/** The section of ZooKeeper's server, unless `zookeeper.sasl.serverconfig` says otherwise. */
export const JAAS_SECTION = 'Server'

/** Checked settings. */
export interface SaslSettings {
  /** A JAAS file with users and their passwords, for DIGEST-MD5; null for none. */
  readonly jaasFile: string | null
  /** The section of that file. */
  readonly jaasSection: string
  /** A file with a verifier of SCRAM-SHA-256 per line; null for none. */
  readonly verifierFile: string | null
  /** The users that bypass all access control lists. */
  readonly superUsers: readonly string[]
}

/** Something about the files of users. */
export type SaslEvent =
  /** They were replaced, and are in use. */
  | { readonly type: 'users-loaded'; readonly files: readonly string[]; readonly count: number }
  /** They cannot be used, and those before stay in use. */
  | { readonly type: 'users-kept'; readonly reason: string }
