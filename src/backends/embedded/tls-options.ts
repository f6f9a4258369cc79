/** The options of TLS: their ranges and their defaults. */
import { optionNames, refuseUnknown, validateBoolean, validateText } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { TlsFiles } from './host/tls/tls-settings.ts'

const VERSIONS: readonly unknown[] = ['TLSv1.2', 'TLSv1.3']

/** Files of TLS. They are looked at again for new connections, at most once per second: to replace one is enough. */
export interface TlsFileOptions {
  /** A file with the private key and its certificates: PEM, or PKCS12, whose other certificates are trusted too. */
  readonly keyStore: string
  /** Opens the private key, if that is encrypted. */
  readonly keyStorePassword?: string
  /** A file of PEM with the certificates of the authorities that are trusted. Those of the system are not. */
  readonly trustStore?: string
  /** The oldest version of TLS that is spoken: `TLSv1.2`, which is the default, or `TLSv1.3`. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** TLS between the servers of an ensemble; each shows its certificate to the other. */
export interface PeerTlsOptions extends TlsFileOptions {
  /** A file of PEM with the certificates of the authorities that are trusted. Those of the system are not. */
  readonly trustStore: string
  /** Whether this server connects to the others by TLS. Default true; false while they change to it. */
  readonly sslQuorum?: boolean
  /** Whether it accepts plain connections beside those with TLS, while the servers change to it. Default false. */
  readonly portUnification?: boolean
  /** Whether the certificate of another server has to be for the host in its text. Default true. */
  readonly hostnameVerification?: boolean
  /** Whether that holds for one that connects, too. By default as `hostnameVerification`. */
  readonly clientHostnameVerification?: boolean
}

/** TLS for clients. */
export interface ClientTlsOptions extends TlsFileOptions {
  /**
   * Whether a client has to show a certificate (`need`, the default), may (`want`), or is not asked (`none`). One that
   * is shown has to be of an authority in the trust store; its subject is an identity of the scheme x509.
   */
  readonly clientAuth?: 'need' | 'want' | 'none'
  /** Whether the ports for plain connections speak TLS too. Default false. */
  readonly portUnification?: boolean
  /** The subject of a certificate, as in `CN=admin,O=Example`, whose client bypasses all lists; null for none. */
  readonly superUser?: string | null
}

/** Checked options, nothing missing. */
export type ClientTlsSettings = Required<Omit<ClientTlsOptions, keyof TlsFileOptions>> & TlsFiles

/** Checked options, nothing missing. */
export type PeerTlsSettings = Required<Omit<PeerTlsOptions, keyof TlsFileOptions>> & TlsFiles

const FILE_NAMES = { keyStore: true, keyStorePassword: true, trustStore: true, minVersion: true } as const
const PEER_NAMES = optionNames<PeerTlsOptions>({
  ...FILE_NAMES,
  sslQuorum: true,
  portUnification: true,
  hostnameVerification: true,
  clientHostnameVerification: true,
})

const CLIENT_NAMES = optionNames<ClientTlsOptions>({
  ...FILE_NAMES,
  clientAuth: true,
  portUnification: true,
  superUser: true,
})
const CLIENT_AUTH: readonly unknown[] = ['need', 'want', 'none']

/**
 * Fills in and checks `clientTls`.
 *
 * @throws TypeError for an unknown option or a wrong type, which does not show a password
 */
export function clientTlsSettingsOf(options: ClientTlsOptions): ClientTlsSettings {
  refuseUnknown(options, CLIENT_NAMES, 'clientTls')
  const files = filesOf('clientTls', options)
  const { clientAuth = 'need', portUnification = false, superUser = null } = options
  if (!CLIENT_AUTH.includes(clientAuth)) {
    throw new TypeError(`clientTls.clientAuth must be 'need', 'want' or 'none', got ${textOf(clientAuth)}`)
  }
  if (clientAuth !== 'none' && options.trustStore === undefined) {
    throw new TypeError("clientTls.trustStore is missing: whose certificates are taken? Or give clientAuth 'none'")
  }
  validateBoolean('clientTls.portUnification', portUnification)
  if (superUser !== null) validateText('clientTls.superUser', superUser)
  return { ...files, clientAuth, portUnification, superUser }
}

/**
 * Fills in and checks `peerTls`.
 *
 * @throws TypeError for an unknown option or a wrong type, which does not show a password
 */
export function peerTlsSettingsOf(options: PeerTlsOptions): PeerTlsSettings {
  refuseUnknown(options, PEER_NAMES, 'peerTls')
  const files = filesOf('peerTls', options)
  validateText('peerTls.trustStore', options.trustStore)
  const { sslQuorum = true, portUnification = false, hostnameVerification = true } = options
  const { clientHostnameVerification = hostnameVerification } = options
  const switches = { sslQuorum, portUnification, hostnameVerification, clientHostnameVerification }
  for (const [name, value] of Object.entries(switches)) validateBoolean(`peerTls.${name}`, value)
  return { ...files, ...switches }
}

function filesOf(name: string, { keyStore, keyStorePassword, trustStore, minVersion }: TlsFileOptions): TlsFiles {
  validateText(`${name}.keyStore`, keyStore)
  if (keyStorePassword !== undefined && typeof keyStorePassword !== 'string') {
    throw new TypeError(`${name}.keyStorePassword must be a string`)
  }
  if (trustStore !== undefined) validateText(`${name}.trustStore`, trustStore)
  if (minVersion !== undefined && !VERSIONS.includes(minVersion)) {
    throw new TypeError(`${name}.minVersion must be 'TLSv1.2' or 'TLSv1.3', got ${textOf(minVersion)}`)
  }
  return { keyStore, keyStorePassword, trustStore, minVersion }
}
