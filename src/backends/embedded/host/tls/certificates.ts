/**
 * The certificates that a server goes by at present: files that are replaced are read again, without a restart, before
 * a connection is made or taken.
 *
 * Links     connections that stand go on with the certificates that they were made with.
 */
import type { SecureContextOptions } from 'node:tls'
import { ReplacedFiles } from '../replaced-files.ts'
import { pathsOf, readTlsFiles } from './tls-files.ts'
import type { CertificatesEvent, TlsFiles, TlsKeys } from './tls-settings.ts'

/** The certificates of some ports. */
export class Certificates {
  readonly #files: ReplacedFiles<SecureContextOptions>

  /**
   * Reads the files.
   *
   * @param keys - how they are named in ZooKeeper's configuration, for messages
   * @throws Error that names the file and its key
   */
  constructor(files: TlsFiles, keys: TlsKeys, onEvent: (event: CertificatesEvent) => void) {
    const paths = pathsOf(files)
    this.#files = new ReplacedFiles({
      paths,
      read: () => readTlsFiles(files, keys),
      onLoaded: () => onEvent({ type: 'certificates-loaded', keys, files: paths }),
      onKept: (reason) => onEvent({ type: 'certificates-kept', keys, reason }),
    })
  }

  /** The options in use, and a number that grows when they are replaced. */
  current(): { readonly version: number; readonly options: SecureContextOptions } {
    const { version, content } = this.#files.current()
    return { version, options: content }
  }
}
