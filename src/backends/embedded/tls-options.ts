/** The options of TLS: what they may be, and what they are by default. */
import { optionNames, refuseUnknown, validateBoolean, validateText } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import type { TlsFiles } from './host/tls/tls-files.ts'

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
  /** Whether it takes plain connections beside those with TLS, while the servers change to it. Default false. */
  readonly portUnification?: boolean
  /** Whether the certificate of another server has to be for the host in its text. Default true. */
  readonly hostnameVerification?: boolean
  /** Whether that holds for one that connects, too. By default what `hostnameVerification` says. */
  readonly clientHostnameVerification?: boolean
}

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
