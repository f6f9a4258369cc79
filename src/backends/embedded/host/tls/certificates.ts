/**
 * The certificates that a server goes by at present: files that are replaced are read again, without a restart.
 *
 * When      before a connection is made or taken, and not more often than once per second.
 * Safety    files that cannot be used - of two, one may be replaced before the other - leave the certificates as they
 *           are; that is told once per content.
 * Links     connections that stand go on with the certificates that they were made with.
 */
import { statSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import { pathsOf, readTlsFiles } from './tls-files.ts'
import type { CertificatesEvent, TlsFiles, TlsKeys } from './tls-settings.ts'

/** The files are looked at again after this time, in milliseconds. */
const LOOK_MS = 1_000

/** The certificates of some ports. */
export class Certificates {
  readonly #files: TlsFiles
  readonly #keys: TlsKeys
  readonly #onEvent: (event: CertificatesEvent) => void
  #options: SecureContextOptions
  #version = 1
  #seen: string
  #lookMs: number

  /**
   * Reads the files.
   *
   * @param keys - how they are named in ZooKeeper's configuration, for messages
   * @throws Error that names the file and its key
   */
  constructor(files: TlsFiles, keys: TlsKeys, onEvent: (event: CertificatesEvent) => void) {
    this.#files = files
    this.#keys = keys
    this.#onEvent = onEvent
    this.#seen = this.#stamp()
    this.#options = readTlsFiles(files, keys)
    this.#lookMs = performance.now() + LOOK_MS
  }

  /** The options in use, and a number that grows when they are replaced. */
  current(): { readonly version: number; readonly options: SecureContextOptions } {
    if (performance.now() >= this.#lookMs) this.#look()
    return { version: this.#version, options: this.#options }
  }

  #look(): void {
    this.#lookMs = performance.now() + LOOK_MS
    const stamp = this.#stamp()
    if (stamp === this.#seen) return
    this.#seen = stamp
    try {
      this.#options = readTlsFiles(this.#files, this.#keys)
      this.#version += 1
      this.#onEvent({ type: 'certificates-loaded', keys: this.#keys, files: pathsOf(this.#files) })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#onEvent({ type: 'certificates-kept', keys: this.#keys, reason })
    }
  }

  /** Two equal ones mean that nothing was replaced. */
  #stamp(): string {
    return pathsOf(this.#files).map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
      return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`
    }).join(', ')
  }
}
