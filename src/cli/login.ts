/** Who connects. */
import type { SaslMechanism } from '../backends/sasl/mechanism.ts'

/** A user and the password. */
export interface Login {
  /** Null for the default user of Redis. */
  readonly user: string | null
  /** As it is, not encoded; in no message. */
  readonly password: string
  /** How it is proved to a ZooKeeper: by this mechanism of SASL; absent: the identity `digest`. */
  readonly mechanism?: SaslMechanism
}
