/** A namespace: the client's paths live under a prefix that its users do not see. */

/** Puts paths under a prefix, and takes them out again. */
export class Namespace {
  /** The prefix; `/` for none. */
  readonly root: string

  /**
   * Makes a namespace.
   *
   * @param root - a valid path
   */
  constructor(root: string) {
    this.root = root
  }

  /** The path on the servers of a path of the client. */
  resolve(path: string): string {
    if (this.root === '/') return path
    return path === '/' ? this.root : this.root + path
  }

  /** The path on the servers of a prefix of the client, to which a sequence number will be appended. */
  resolvePrefix(prefix: string): string {
    return this.root === '/' ? prefix : this.root + prefix
  }

  /** Whether a path on the servers is in this namespace. */
  holds(path: string): boolean {
    return this.root === '/' || path === this.root || path.startsWith(`${this.root}/`)
  }

  /** The path of the client for a path on the servers, which is in this namespace. */
  strip(path: string): string {
    if (this.root === '/') return path
    return path === this.root ? '/' : path.slice(this.root.length)
  }
}
