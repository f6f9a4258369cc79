/**
 * The files that a server's TLS is made of, read as node:tls takes them.
 *
 * Formats   a key store is PEM, with the private key and the chain of its certificate, or PKCS12; a trust store is PEM.
 *           Java's own formats are refused with the command that converts them.
 * Errors    they name the file and its key in ZooKeeper's configuration, and never a password.
 * Source    X509Util.java, PEMFileLoader.java, KeyStoreFileType.java of ZooKeeper 3.8.
 */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { SecureContextOptions, SecureVersion } from 'node:tls'
import type { TlsFiles, TlsKeys } from './tls-settings.ts'

const JKS_MAGIC = 'feedfeed'
const PKCS12_FIRST_BYTE = 0x30
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?(?:ENCRYPTED )?PRIVATE KEY-----/
const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/
const LOCKED = /bad decrypt|mac verify failure|bad password|interrupted or cancelled|empty password/i
const MIN_VERSION: SecureVersion = 'TLSv1.2'

/** All files of a server's TLS. */
export function pathsOf({ keyStore, trustStore }: TlsFiles): readonly string[] {
  return trustStore === undefined ? [keyStore] : [keyStore, trustStore]
}

/**
 * Reads the files.
 *
 * @returns the options of a secure context for node:tls; a context was made of them
 * @throws Error that names the file and its key
 */
export function readTlsFiles(files: TlsFiles, keys: TlsKeys): SecureContextOptions {
  const options = {
    ...keyStoreOf(files, keys),
    // Without a trust store nobody is trusted, and not the authorities of the system.
    ca: files.trustStore === undefined ? [] : trustStoreOf(files.trustStore, keys),
    minVersion: files.minVersion ?? MIN_VERSION,
  }
  try {
    createSecureContext(options)
  } catch (cause) {
    throw refused('keyStore', files.keyStore, keys, reasonOf(cause, files), cause)
  }
  return options
}

function keyStoreOf({ keyStore, keyStorePassword }: TlsFiles, keys: TlsKeys): SecureContextOptions {
  const bytes = read('keyStore', keyStore, keys)
  const secret = keyStorePassword === undefined ? {} : { passphrase: keyStorePassword }
  if (bytes[0] === PKCS12_FIRST_BYTE) return { pfx: bytes, ...secret }
  const text = bytes.toString('latin1')
  if (!PRIVATE_KEY.test(text)) throw refused('keyStore', keyStore, keys, 'there is no private key in it')
  if (!CERTIFICATE.test(text)) throw refused('keyStore', keyStore, keys, 'there is no certificate in it')
  return { key: bytes, cert: bytes, ...secret }
}

function trustStoreOf(path: string, keys: TlsKeys): Buffer {
  const bytes = read('trustStore', path, keys)
  if (bytes[0] === PKCS12_FIRST_BYTE) {
    const what = 'a trust store has to be PEM: openssl pkcs12 -in STORE -nokeys -out STORE.pem'
    throw refused('trustStore', path, keys, what)
  }
  if (!CERTIFICATE.test(bytes.toString('latin1'))) {
    throw refused('trustStore', path, keys, 'there is no certificate in it')
  }
  return bytes
}

function read(store: 'keyStore' | 'trustStore', path: string, keys: TlsKeys): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw refused(store, path, keys, code === 'ENOENT' ? 'there is no such file' : message, cause)
  }
  if (bytes.toString('hex', 0, JKS_MAGIC.length / 2) !== JKS_MAGIC) return bytes
  const what = 'it is a Java key store: keytool -importkeystore -srckeystore STORE -destkeystore STORE.p12'
  throw refused(store, path, keys, `${what} -deststoretype pkcs12`)
}

function reasonOf(error: unknown, { keyStorePassword }: TlsFiles): string {
  const message = error instanceof Error ? error.message : String(error)
  if (/key values mismatch/i.test(message)) return 'its private key is not that of its first certificate'
  if (!LOCKED.test(message)) return message
  return keyStorePassword === undefined ? 'its private key needs a password' : 'its password is another one'
}

function refused(store: 'keyStore' | 'trustStore', path: string, keys: TlsKeys, why: string, cause?: unknown): Error {
  const kind = store === 'keyStore' ? 'key store' : 'trust store'
  return new Error(`cannot use the ${kind} ${path} (${keys}.${store}.location): ${why}`, { cause })
}
