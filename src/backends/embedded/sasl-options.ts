/** The options of SASL for clients, and of what clients have to prove: their ranges and their defaults. */
import { optionNames, refuseUnknown, validateBoolean, validateText } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import { JAAS_SECTION } from './host/sasl/sasl-settings.ts'
import type { SaslSettings } from './host/sasl/sasl-settings.ts'

/**
 * The users that clients can prove to be by SASL; their identity is `sasl:user`. Each server reads the files for
 * itself, and looks at them again for new exchanges, at most once per second: to replace one is enough.
 */
export interface SaslOptions {
  /**
   * A JAAS file, as ZooKeeper's server has it: `Server { org.apache.zookeeper.server.auth.DigestLoginModule required
   * user_ann="password"; };`. They are known by DIGEST-MD5, and their passwords stand there as they are.
   */
  readonly jaasFile?: string
  /** The section of that file. Default `Server`. */
  readonly jaasSection?: string
  /** A file with a line of `quorate scram-user` per user. They are known by SCRAM-SHA-256; no password is in it. */
  readonly verifierFile?: string
  /** The users that bypass all access control lists: ZooKeeper's `zookeeper.superUser`. Default none. */
  readonly superUsers?: readonly string[]
  /**
   * Whether a client that fails keeps its connection, as nobody: ZooKeeper's `zookeeper.allowSaslFailedClients`. Not if
   * the scheme `sasl` is required. Default false.
   */
  readonly allowFailedClients?: boolean
}

const NAMES = optionNames<SaslOptions>({
  jaasFile: true,
  jaasSection: true,
  verifierFile: true,
  superUsers: true,
  allowFailedClients: true,
})

/** Schemes that a client can have an identity of. */
const SCHEMES: readonly string[] = ['digest', 'ip', 'sasl', 'x509']

/** Fills in and checks `sasl`. Throws TypeError for an unknown option or a wrong type. */
export function saslSettingsOf(options: SaslOptions): SaslSettings {
  refuseUnknown(options, NAMES, 'sasl')
  const { jaasFile = null, jaasSection = JAAS_SECTION, verifierFile = null, superUsers = [] } = options
  if (jaasFile !== null) validateText('sasl.jaasFile', jaasFile)
  if (verifierFile !== null) validateText('sasl.verifierFile', verifierFile)
  validateText('sasl.jaasSection', jaasSection)
  if (jaasFile === null && verifierFile === null) throw new TypeError('sasl needs a jaasFile, a verifierFile or both')
  checkNames('sasl.superUsers', superUsers)
  validateBoolean('sasl.allowFailedClients', options.allowFailedClients ?? false)
  return { jaasFile, jaasSection, verifierFile, superUsers: [...superUsers] }
}

/** Checks the schemes that are required of clients. Throws TypeError or RangeError for one that nobody could have. */
export function requiredSchemesOf(
  schemes: readonly string[],
  { sasl, clientTls }: { readonly sasl?: unknown; readonly clientTls?: unknown },
): readonly string[] {
  checkNames('requiredSchemes', schemes)
  for (const scheme of schemes) {
    if (!SCHEMES.includes(scheme)) {
      throw new RangeError(`requiredSchemes must be of ${SCHEMES.join(', ')}, got ${textOf(scheme)}`)
    }
  }
  if (schemes.length === 1 && schemes[0] === 'sasl' && (sasl ?? null) === null) {
    throw new TypeError("requiredSchemes ['sasl'] needs the option sasl: nobody could connect")
  }
  if (schemes.length === 1 && schemes[0] === 'x509' && (clientTls ?? null) === null) {
    throw new TypeError("requiredSchemes ['x509'] needs the option clientTls: nobody could connect")
  }
  return [...schemes]
}

function checkNames(name: string, list: readonly string[]): void {
  if (!Array.isArray(list)) throw new TypeError(`${name} must be a list, got ${textOf(list)}`)
  for (const one of list as readonly string[]) validateText(`a name of ${name}`, one)
}
