/** The sources of a server's TLS, and its events. Applications see these types: they need none of Node.js. */

/** The beginning of a key in ZooKeeper's configuration: client ports, and ports between servers. */
export type TlsKeys = 'ssl' | 'ssl.quorum'

/** Where the files are, and what opens them. */
export interface TlsFiles {
  /** PEM with the private key and its certificates, or PKCS12 (`.p12`, `.pfx`). */
  readonly keyStore: string
  /** Opens the private key; undefined if that is not encrypted. */
  readonly keyStorePassword?: string | undefined
  /** PEM with the certificates of the authorities that are trusted. */
  readonly trustStore?: string | undefined
  /** The oldest version of TLS that is spoken. Default TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
}

/** Something that happened to the files of a server's TLS. */
export type CertificatesEvent =
  /** Files have changed, and are used from now on. */
  | { readonly type: 'certificates-loaded'; readonly keys: TlsKeys; readonly files: readonly string[] }
  /** Files have changed and cannot be used: the certificates before them are. */
  | { readonly type: 'certificates-kept'; readonly keys: TlsKeys; readonly reason: string }
