/** Makes the root of each program and removes it, as the superuser: programs share a server, one after the other. */
import { ByteReader } from './bytes.ts'
import { Connection } from './connection.ts'
import type { AclEntry, Operation } from './program.ts'
import { encodeHello, encodeRequest } from './requests.ts'

const OPEN: readonly AclEntry[] = [{ perms: 31, scheme: 'world', id: 'anyone' }]
const TIMEOUT_MS = 60_000

/** The password of the superuser for servers that are started with {@link SUPER_DIGEST}. */
export const SUPER_PASSWORD = 'super:sesame'
/** `super:` and base64(sha1(SUPER_PASSWORD)). */
export const SUPER_DIGEST = 'super:vj2Twc2lQjSrH72zpcKdVtrT1Pc='

/** Where the quotas of a program's nodes are. */
export function quotaRootOf(root: string): string {
  return `/zookeeper/quota${root}`
}

export class Janitor {
  readonly port: number
  readonly #connection: Connection

  private constructor(port: number, connection: Connection) {
    this.port = port
    this.#connection = connection
  }

  static async open(port: number): Promise<Janitor> {
    const connection = new Connection(port)
    const hello = { lastZxid: 0n, timeoutMs: TIMEOUT_MS, sessionId: 0n, password: Buffer.alloc(16), isOldClient: false }
    connection.send(encodeHello(hello))
    const welcome = await connection.receive()
    if (typeof welcome === 'string') throw new Error(`the janitor is not let in: ${welcome}`)
    const janitor = new Janitor(port, connection)
    await janitor.#ask([{ name: 'auth', scheme: 'digest', auth: Buffer.from(SUPER_PASSWORD) }])
    return janitor
  }

  /** @returns the zxid of the root, from which those of the program are counted */
  async makeRoot(root: string): Promise<bigint> {
    const [made] = await this.#ask([{ name: 'create', path: root, data: null, acl: OPEN, flags: 0 }])
    if (made === undefined || made.err !== 0) throw new Error(`no root for a program: error ${made?.err}`)
    return made.zxid
  }

  /** Removes everything that a program has made. */
  async cleanUp(root: string): Promise<void> {
    const found: string[] = []
    let level = [root, quotaRootOf(root)]
    while (level.length > 0) {
      found.push(...level)
      const reads = level.map((path): Operation => ({ name: 'getChildren', path, watch: false }))
      const answers = await this.#ask(reads)
      level = answers.flatMap(({ err, body }, index) => {
        if (err !== 0) return []
        return Array.from({ length: body.int() }, () => `${level[index] ?? ''}/${body.buffer()?.toString() ?? ''}`)
      })
    }
    await this.#ask(found.reverse().map((path): Operation => ({ name: 'delete', path, version: -1 })))
  }

  close(): void {
    this.#connection.destroy()
  }

  async #ask(operations: readonly Operation[]): Promise<{ zxid: bigint; err: number; body: ByteReader }[]> {
    const requests = operations.map((operation, index) => ({ xid: index + 1, operation, damage: null }))
    this.#connection.send(Buffer.concat(requests.map((request) => encodeRequest(request, 0n))))
    const answers = []
    for (let i = 0; i < operations.length; i++) {
      const frame = await this.#connection.receive()
      if (typeof frame === 'string') throw new Error(`the janitor hears nothing: ${frame}`)
      const body = new ByteReader(frame)
      body.int()
      answers.push({ zxid: body.long(), err: body.int(), body })
    }
    return answers
  }
}
