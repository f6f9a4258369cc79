/**
 * The keys of TLS in ZooKeeper's configuration file.
 *
 * Stores    PEM, or PKCS12 for keys: what Java alone reads is refused by name, and so is what would be weaker without
 *           a word, such as a check for revoked certificates that is not made.
 * Source    X509Util.java, QuorumPeerConfig.java of ZooKeeper 3.8.
 */
import { readFileSync } from 'node:fs'
import type { ClientTlsOptions, PeerTlsOptions, TlsFileOptions } from '../backends/embedded/index.ts'
import { Failure } from './exit-status.ts'
import { reasonOf } from './file-reason.ts'

/** The TLS options of a configuration. */
export interface ZooCfgTls {
  /** Undefined if servers talk to each other without. */
  readonly peerTls: PeerTlsOptions | undefined
  /** Undefined if clients are served without. */
  readonly clientTls: ClientTlsOptions | undefined
  /** The port that speaks TLS alone. */
  readonly secureClientPort: number | undefined
}

/** Families of keys, and the rules for their values. */
const STORES = /^ssl\.(quorum\.)?(keyStore|trustStore)\.(location|password|passwordPath|type)$/
const SWITCHES = /^ssl\.(quorum\.)?(hostnameVerification|clientHostnameVerification|crl|ocsp)$/
const PROTOCOLS = /^ssl\.(quorum\.)?(protocol|enabledProtocols)$/
const VERSIONS: readonly string[] = ['TLSv1.2', 'TLSv1.3']

/** Keys without effect here: certificates are read again when their files change, and a hand-shake has its time. */
const IDLE_WORDS = /^(sslQuorumReloadCertFiles|serverCnxnFactory|authProvider\.x509|client\.certReload)$/
const IDLE_TIME = /^ssl\.(quorum\.)?handshakeDetectionTimeoutMillis$/
const IDLE_STORE = /^ssl\.(quorum\.)?trustStore\.(password|passwordPath)$/

/** Others, each by itself. */
const WORDS = /^(ssl\.(quorum\.)?clientAuth|secureClientPort|client\.portUnification|X509Auth\w+\.superUser)$/
const PORT_MAX = 65_535

/** Whether a key is one of these. */
export function isTlsKey(key: string): boolean {
  return [STORES, SWITCHES, PROTOCOLS, WORDS, IDLE_WORDS, IDLE_TIME].some((keys) => keys.test(key))
}

/** Whether it is used, used between servers, or without effect on this server. */
export function tlsEffectOf(key: string): 'used' | 'ensemble' | 'none' {
  if ([IDLE_WORDS, IDLE_TIME, IDLE_STORE].some((keys) => keys.test(key))) return 'none'
  return key.startsWith('ssl.quorum.') ? 'ensemble' : 'used'
}

/** Says what a value must be, or null if it is that; a password is anything. */
export function checkTlsValue(key: string, value: string): string | null {
  if (key === 'secureClientPort') return isPort(value) ? null : `a port from 0 to ${PORT_MAX}`
  if (key === 'ssl.clientAuth') return /^(need|want|none)$/i.test(value) ? null : 'need, want or none'
  const isSwitch = SWITCHES.test(key) || key === 'client.portUnification'
  if (isSwitch) return /^(true|false)$/i.test(value) ? null : 'true or false'
  if (PROTOCOLS.test(key)) {
    const isKnown = value.split(',').every((version) => VERSIONS.includes(version.trim()))
    return isKnown ? null : 'of TLSv1.2 and TLSv1.3, which are what is spoken here'
  }
  if (key.endsWith('.type')) return /^(PEM|PKCS12)$/i.test(value) ? null : 'PEM or PKCS12, which are read here'
  return value === '' ? 'something' : null
}

/** Whether the value of a key must not be shown. */
export function isSecretTlsKey(key: string): boolean {
  return key.endsWith('.password')
}

const NO_REVOCATION = 'it is not checked whether a certificate was revoked: let it be short-lived, and remove this line'

/** Keys that ask for what there is not, for the list of the configuration. */
export const MISSING_TLS: readonly { readonly keys: RegExp; readonly isMeant?: RegExp; readonly what: string }[] = [
  { keys: /^ssl\.(quorum\.)?(crl|ocsp)$/, isMeant: /^true$/i, what: NO_REVOCATION },
  { keys: /^ssl\.(quorum\.)?ciphersuites$/, what: 'the cipher suites are those of Node.js: remove this line' },
  { keys: /^ssl\.(quorum\.)?context\.supplier\.class$/, what: 'no Java class is loaded: remove this line' },
  {
    keys: /^ssl\.quorum\.clientAuth$/,
    isMeant: /^(?!need$)/i,
    what: 'a server has to show its certificate to others (need): remove this line',
  },
]

/**
 * Reads what a configuration says of TLS.
 *
 * @param text - the value of a key; undefined if it is not there
 * @param file - for messages
 * @throws Failure if something is missing, or cannot be read
 */
export function tlsOf(text: (key: string) => string | undefined, file: string): ZooCfgTls {
  const port = text('secureClientPort')
  return {
    peerTls: peerTlsOf(text, file),
    clientTls: clientTlsOf(text, file),
    secureClientPort: port === undefined ? undefined : Number(port),
  }
}

function isPort(value: string): boolean {
  return /^\d+$/.test(value) && Number(value) <= PORT_MAX
}

function clientTlsOf(text: (key: string) => string | undefined, file: string): ClientTlsOptions | undefined {
  const portUnification = /^true$/i.test(text('client.portUnification') ?? '')
  if (text('secureClientPort') === undefined && !portUnification) return undefined
  const files = filesOf('ssl', text, file)
  const clientAuth = (text('ssl.clientAuth')?.toLowerCase() ?? 'need') as 'need' | 'want' | 'none'
  if (clientAuth !== 'none' && files.trustStore === undefined) {
    throw new Failure(`${file}: TLS for clients needs ssl.trustStore.location, or ssl.clientAuth=none`)
  }
  return { ...files, clientAuth, portUnification, superUser: text('X509AuthenticationProvider.superUser') ?? null }
}

function peerTlsOf(text: (key: string) => string | undefined, file: string): PeerTlsOptions | undefined {
  const isOn = (key: string, byDefault: boolean): boolean => {
    const value = text(key)
    return value === undefined ? byDefault : /^true$/i.test(value)
  }
  const [sslQuorum, portUnification] = [isOn('sslQuorum', false), isOn('portUnification', false)]
  if (!sslQuorum && !portUnification) return undefined
  const { trustStore, ...files } = filesOf('ssl.quorum', text, file)
  const asker = sslQuorum ? 'sslQuorum' : 'portUnification'
  if (trustStore === undefined) throw new Failure(`${file}: ${asker} needs ssl.quorum.trustStore.location`)
  const hostnameVerification = isOn('ssl.quorum.hostnameVerification', true)
  return {
    ...files,
    trustStore,
    sslQuorum,
    portUnification,
    hostnameVerification,
    clientHostnameVerification: isOn('ssl.quorum.clientHostnameVerification', hostnameVerification),
  }
}

function filesOf(
  keys: 'ssl' | 'ssl.quorum',
  text: (key: string) => string | undefined,
  file: string,
): TlsFileOptions {
  const keyStore = text(`${keys}.keyStore.location`)
  if (keyStore === undefined) throw new Failure(`${file}: TLS needs ${keys}.keyStore.location`)
  const password = text(`${keys}.keyStore.password`) ?? passwordOf(text(`${keys}.keyStore.passwordPath`))
  const trustStore = text(`${keys}.trustStore.location`)
  const versions = (text(`${keys}.enabledProtocols`) ?? text(`${keys}.protocol`) ?? '').split(',')
  const isNew = versions.length > 0 && versions.every((version) => version.trim() === 'TLSv1.3')
  return {
    keyStore,
    ...(password === undefined ? {} : { keyStorePassword: password }),
    ...(trustStore === undefined ? {} : { trustStore }),
    minVersion: isNew ? 'TLSv1.3' : 'TLSv1.2',
  }
}

function passwordOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    throw new Failure(`cannot read the password of a key store from ${path}: ${reasonOf(error)}`)
  }
}
