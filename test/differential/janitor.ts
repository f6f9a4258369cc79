/**
 * Makes the root of each program, looks at what is below it, and removes it, as the superuser: programs share a server,
 * one after the other.
 */
import { ByteReader } from './bytes.ts'
import { Connection } from './connection.ts'
import type { AclEntry, Operation } from './program.ts'
import { Masks, describeReply, readWelcome } from './replies.ts'
import { encodeHello, encodeRequest } from './requests.ts'
import type { Hello } from './requests.ts'

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

interface Answer {
  readonly frame: Buffer
  readonly zxid: bigint
  readonly err: number
  /** The rest of the frame, after its header. */
  readonly body: ByteReader
}

export class Janitor {
  readonly port: number
  #connection: Connection
  #session: Pick<Hello, 'sessionId' | 'password'> = { sessionId: 0n, password: Buffer.alloc(16) }

  private constructor(port: number) {
    this.port = port
    this.#connection = new Connection(port)
  }

  static async open(port: number): Promise<Janitor> {
    const janitor = new Janitor(port)
    await janitor.#enter()
    return janitor
  }

  /** Resumes its session once the server has restarted. */
  async comeBack(): Promise<void> {
    this.#connection.destroy()
    this.#connection = new Connection(this.port)
    await this.#enter()
  }

  async #enter(): Promise<void> {
    const hello = { ...this.#session, lastZxid: 0n, timeoutMs: TIMEOUT_MS, isOldClient: false }
    this.#connection.send(encodeHello(hello))
    const welcome = await this.#connection.receive()
    if (typeof welcome === 'string') throw new Error(`the janitor is not let in: ${welcome}`)
    const { sessionId, password } = readWelcome(welcome, new Masks())
    if (sessionId === 0n) throw new Error('the session of the janitor is over')
    this.#session = { sessionId, password }
    await this.#ask([{ name: 'auth', scheme: 'digest', auth: Buffer.from(SUPER_PASSWORD) }])
  }

  /** @returns the zxid of the root, from which those of the program are counted */
  async makeRoot(root: string): Promise<bigint> {
    const [made] = await this.#ask([{ name: 'create', path: root, data: null, acl: OPEN, flags: 0 }])
    if (made === undefined || made.err !== 0) throw new Error(`no root for a program: error ${made?.err}`)
    return made.zxid
  }

  /** The zxid of the last transaction. */
  async lastZxid(): Promise<bigint> {
    const [answer] = await this.#ask([{ name: 'sync', path: '/' }])
    return answer?.zxid ?? 0n
  }

  /** Each node that a program has made, in words: its data, its stat and its access control list. */
  async look(root: string, masks: Masks): Promise<string[]> {
    const paths = (await this.#below(root)).sort()
    const reads = paths.flatMap((path): Operation[] => {
      return [{ name: 'getData', path, watch: false }, { name: 'getACL', path }]
    })
    const answers = await this.#ask(reads)
    return answers.map(({ frame }, index) => {
      const read = reads[index]
      return read === undefined ? '' : `${paths[index >> 1]}: ${describeReply(frame, read, masks).words}`
    })
  }

  /** Removes everything that a program has made. */
  async cleanUp(root: string): Promise<void> {
    const found = [...await this.#below(root), ...await this.#below(quotaRootOf(root))]
    await this.#ask(found.reverse().map((path): Operation => ({ name: 'delete', path, version: -1 })))
  }

  /** The node of this path and all below it, parents first. */
  async #below(root: string): Promise<string[]> {
    const found: string[] = []
    let level = [root]
    while (level.length > 0) {
      found.push(...level)
      const reads = level.map((path): Operation => ({ name: 'getChildren', path, watch: false }))
      const answers = await this.#ask(reads)
      level = answers.flatMap(({ err, body }, index) => {
        if (err !== 0) return []
        return Array.from({ length: body.int() }, () => `${level[index] ?? ''}/${body.buffer()?.toString() ?? ''}`)
      })
    }
    return found
  }

  close(): void {
    this.#connection.destroy()
  }

  async #ask(operations: readonly Operation[]): Promise<Answer[]> {
    const requests = operations.map((operation, index) => ({ xid: index + 1, operation, damage: null }))
    this.#connection.send(Buffer.concat(requests.map((request) => encodeRequest(request))))
    const answers: Answer[] = []
    for (let i = 0; i < operations.length; i++) {
      const frame = await this.#connection.receive()
      if (typeof frame === 'string') throw new Error(`the janitor hears nothing: ${frame}`)
      const body = new ByteReader(frame)
      body.int()
      answers.push({ frame, zxid: body.long(), err: body.int(), body })
    }
    return answers
  }
}
