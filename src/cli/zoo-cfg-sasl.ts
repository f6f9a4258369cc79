/**
 * The keys of SASL, and of what clients have to prove, in ZooKeeper's configuration file.
 *
 * Files     ZooKeeper is told of its JAAS file by a property of the JVM; here a key of the file, which ZooKeeper passes
 *           over, or an option of the command names it.
 * Source    AuthenticationHelper.java, ZooKeeperServer.isSaslSuperUser, ZooKeeperSaslServer.java of ZooKeeper.
 */
import type { SaslOptions } from '../backends/embedded/index.ts'
import { Failure } from './exit-status.ts'

/** The SASL options of a configuration. */
export interface ZooCfgSasl {
  /** It may name no file of users; without one there is no SASL. */
  readonly sasl: SaslOptions
  /** Schemes of which a client has to have an identity; undefined if it has not. */
  readonly requiredSchemes: readonly string[] | undefined
}

/** Ours: ZooKeeper passes over them. */
const JAAS_KEY = 'quorate.sasl.jaasFile'
export const VERIFIERS_KEY = 'quorate.sasl.verifierFile'

const SUPER_USER = /^superUser(\.[^.]+)?$/
const FLAGS = /^(sessionRequireClientSASLAuth|enforce\.auth\.enabled|allowSaslFailedClients)$/
const TEXTS = /^(quorate\.sasl\.(jaasFile|verifierFile)|sasl\.serverconfig|enforce\.auth\.schemes)$/
const REQUIRE = 'requireClientAuthScheme'
/** Keys that ZooKeeper needs in order to have SASL, and keys of Kerberos. */
const IDLE = /^(authProvider\.(\d+|sasl)|jaasLoginRenew|kerberos\.remove(Host|Realm)FromPrincipal)$/
const PROVIDER = /^org\.apache\.zookeeper\.server\.auth\.(SASL|X509|Digest|IP)AuthenticationProvider$/
/** Schemes that a client can have an identity of. */
const SCHEMES: readonly string[] = ['digest', 'ip', 'sasl', 'x509']

/** Whether a key is one of these. */
export function isSaslKey(key: string): boolean {
  return key === REQUIRE || [SUPER_USER, FLAGS, TEXTS, IDLE].some((keys) => keys.test(key))
}

/** Whether it is used, or without effect on this server. */
export function saslEffectOf(key: string): 'used' | 'none' {
  return IDLE.test(key) ? 'none' : 'used'
}

/** Says what a value must be, or null if it is that. */
export function checkSaslValue(key: string, value: string): string | null {
  if (FLAGS.test(key)) return /^(true|false)$/i.test(value) ? null : 'true or false'
  if (key === REQUIRE) return value === 'sasl' ? null : 'sasl'
  if (key === 'enforce.auth.schemes') {
    return listOf(value).every((scheme) => SCHEMES.includes(scheme)) ? null : `of ${SCHEMES.join(', ')}`
  }
  if (key.startsWith('authProvider.')) {
    return PROVIDER.test(value) ? null : 'a provider of ZooKeeper itself: no other Java class is loaded here'
  }
  return value === '' && !IDLE.test(key) ? 'something' : null
}

/** Keys that ask for what there is not, for the list of the configuration. */
export const MISSING_SASL: readonly { readonly keys: RegExp; readonly isMeant?: RegExp; readonly what: string }[] = [
  { keys: /^letAnySaslUserDoX$/, what: 'a user of SASL has what lists give to it: remove this line' },
  {
    keys: /^SASLAuthenticationProvider\.superPassword$/,
    what: 'give the user super a line in a file of users, name it in superUser=super, and remove this line',
  },
]

/**
 * Reads what a configuration says of SASL.
 *
 * @param entries - its keys and values
 * @param file - for messages
 * @throws Failure if it requires what nobody could prove
 */
export function saslOf(entries: Iterable<{ readonly key: string; readonly value: string }>, file: string): ZooCfgSasl {
  const values = new Map([...entries].map(({ key, value }) => [key, value]))
  const isOn = (key: string): boolean => /^true$/i.test(values.get(key) ?? '')
  const [jaasFile, verifierFile] = [values.get(JAAS_KEY), values.get(VERIFIERS_KEY)]
  const jaasSection = values.get('sasl.serverconfig')
  const superUsers = [...values].filter(([key]) => SUPER_USER.test(key)).map(([, value]) => value)
  const sasl = {
    ...(jaasFile === undefined ? {} : { jaasFile }),
    ...(verifierFile === undefined ? {} : { verifierFile }),
    ...(jaasSection === undefined ? {} : { jaasSection }),
    superUsers,
    allowFailedClients: isOn('allowSaslFailedClients'),
  }
  const requiresSasl = isOn('sessionRequireClientSASLAuth') || values.has(REQUIRE)
  const schemes = listOf(values.get('enforce.auth.schemes') ?? '')
  if (!requiresSasl && isOn('enforce.auth.enabled') && schemes.length === 0) {
    throw new Failure(`${file}: enforce.auth.enabled needs enforce.auth.schemes, such as sasl`)
  }
  const required = requiresSasl ? ['sasl'] : isOn('enforce.auth.enabled') ? schemes : undefined
  return { sasl, requiredSchemes: required }
}

function listOf(text: string): string[] {
  return text.split(',').map((word) => word.trim()).filter((word) => word !== '')
}
