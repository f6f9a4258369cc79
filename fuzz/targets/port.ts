/**
 * The client port of a server, over a socket.
 *
 * Input     a number that says how the bytes are cut and whether a session is opened first; then the bytes.
 * Promises  the connection ends when its client ends it; a client that has been there from the beginning is answered,
 *           has its node as it left it, and keeps its session; the server reports no error of its own.
 */
import { embedded } from '../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../src/backends/embedded/index.ts'
import { CreateFlag, OpCode, Perm } from '../../src/backends/wire/codes.ts'
import { NEW_SESSION, RawClient } from '../../test/backends/embedded/host/clients/raw-client.ts'
import type { OpenClient } from '../../test/backends/embedded/host/clients/raw-client.ts'
import { Chance } from '../../test/differential/chance.ts'
import type { Request } from '../../src/backends/wire/records.ts'
import { ClientWire } from '../../src/backends/wire/wire.ts'
import { BYTE_MUTATORS } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import { FUZZ_ROOT, batchOf } from './hostile-requests.ts'
import { sendBytes } from './raw-bytes.ts'

const SESSION_MS = 4_000
const WITH_SESSION = 0x80
const BATCHES = 24
/** A round trip of a client that did nothing wrong, in milliseconds, on a machine that is busy. */
const ANSWER_MS_MAX = 10_000
const MINE = '/kept-by-a-polite-client'
const SECRET = new TextEncoder().encode('polite:6a1f')
/** After so many inputs, nodes that they made are removed. */
const CLEAN_AFTER = 200

/** A server, and a client that has done nothing wrong. */
class Polite {
  readonly port: number
  readonly #ensemble: Ensemble
  readonly #client: OpenClient
  readonly #failures: unknown[]
  #version = 0
  #inputs = 0

  private constructor(ensemble: Ensemble, client: OpenClient, failures: unknown[]) {
    this.port = ensemble.clientPorts[0] ?? 0
    this.#ensemble = ensemble
    this.#client = client
    this.#failures = failures
  }

  static async open(): Promise<Polite> {
    const failures: unknown[] = []
    const ensemble = embedded({
      servers: 1,
      clientPorts: [0],
      maxClientCnxns: 0,
      snapCount: 1_000,
      onError: (error) => failures.push(error),
      onClientError: (error) => failures.push(error),
    })
    await ensemble.start()
    const client = await RawClient.open(ensemble.clientPorts[0] ?? 0)
    await client.ask(OpCode.auth, { type: 0, scheme: 'digest', auth: SECRET })
    const acl = [{ perms: Perm.all, scheme: 'auth', id: '' }]
    await client.ask(OpCode.create, { path: MINE, data: null, acl, flags: CreateFlag.ephemeral })
    return new Polite(ensemble, client, failures)
  }

  /** Asks for a write, and for the node as it is. @throws BrokenPromise if a promise was broken */
  async check(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ANSWER_MS_MAX)
    })
    const answers = await Promise.race([this.#ask(), late])
    clearTimeout(timer)
    promise(answers !== null, `a polite client waits ${ANSWER_MS_MAX} ms for its answer`)
    promise(this.#failures.length === 0, `the server reports ${String(this.#failures[0])}`)
    this.#inputs += 1
    if (this.#inputs % CLEAN_AFTER === 0) await this.#cleanUp()
  }

  async close(): Promise<void> {
    await this.#client.drop()
    await this.#ensemble.close()
  }

  async #ask(): Promise<void> {
    const written = await this.#client.ask(OpCode.setData, { path: MINE, data: null, version: this.#version })
    promise(written.err === 0, `a polite write is answered with ${written.err}`)
    this.#version += 1
    const read = await this.#client.ask(OpCode.exists, { path: MINE, watch: false })
    const { sessionId } = this.#client.session
    const stat = read.body !== null && 'stat' in read.body ? read.body.stat : null
    promise(stat?.version === this.#version && stat.ephemeralOwner === sessionId, 'a polite client\'s node is changed')
  }

  async #cleanUp(): Promise<void> {
    for (const root of [FUZZ_ROOT, '/']) {
      const { body } = await this.#client.ask(OpCode.getChildren, { path: root, watch: false })
      const names = body !== null && 'children' in body ? body.children : []
      const paths = names.map((name) => (root === '/' ? `/${name}` : `${root}/${name}`))
      for (const path of paths.filter((one) => one !== MINE && one !== '/zookeeper')) {
        await this.#client.ask(OpCode.delete, { path, version: -1 })
      }
    }
  }
}

function encoder(): Pick<RawClient, 'encodeAs'> {
  const wire = new ClientWire()
  return { encodeAs: (xid, op, body) => wire.encode({ kind: 'request', request: { xid, op, body } as Request }) }
}

let polite: Polite | null = null

/** The target. */
export const port: Target = {
  name: 'port',
  reads: 'the client port of a server, over a socket',
  limits: { ...PURE_LIMITS, cpuMsMax: 1_000, memoryBytesMax: 64 * 1024 * 1024, hangMsMax: 60_000 },
  mutators: BYTE_MUTATORS,
  isPure: false,
  seeds: () => {
    const hello = new ClientWire().encode({ kind: 'connect', request: { ...NEW_SESSION, timeOut: SESSION_MS } })
    const batches = Array.from({ length: BATCHES }, (_, seed) => {
      return Uint8Array.of(WITH_SESSION | (seed % 5), ...Buffer.concat(batchOf(encoder(), new Chance(seed))))
    })
    return [Uint8Array.of(0, ...hello), Uint8Array.of(0, ...Buffer.from('stat')), ...batches]
  },
  async start() {
    polite = await Polite.open()
  },
  async run([head = 0, ...rest]) {
    if (polite === null) throw new Error('the target is not started')
    const hello = new ClientWire().encode({ kind: 'connect', request: { ...NEW_SESSION, timeOut: SESSION_MS } })
    const bytes = (head & WITH_SESSION) === 0 ? Uint8Array.from(rest) : Uint8Array.of(...hello, ...rest)
    const isClosed = await sendBytes(polite.port, bytes, head & ~WITH_SESSION)
    promise(isClosed, 'a connection stays after its client has ended it')
    await polite.check()
  },
  async stop() {
    await polite?.close()
    polite = null
  },
}
