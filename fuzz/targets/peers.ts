/**
 * The election port and the quorum port of a server of three, over sockets. Without TLS whoever names a server of the
 * ensemble is believed to be it, so that a stranger can end links and make servers elect again. No more than that.
 *
 * Input     a number that says which server, which port, and how the bytes are cut; then the bytes.
 * Promises  once the stranger has gone, all three servers serve again in time, and what was acknowledged is there.
 */
import type { EnsembleMember } from '../../src/backends/embedded/index.ts'
import { CreateFlag, OpCode } from '../../src/backends/wire/codes.ts'
import { encodeInitiation } from '../../src/backends/wire/initiation.ts'
import { encodeNotification } from '../../src/backends/wire/notifications.ts'
import type { Packet, PeerState } from '../../src/backends/wire/packets.ts'
import { PeerLink } from '../../src/backends/wire/peer-link.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import { RawClient } from '../../test/backends/embedded/host/clients/raw-client.ts'
import { memberTexts, portOf, startThree } from '../../test/backends/embedded/members.ts'
import { BYTE_MUTATORS } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import { sendBytes } from './raw-bytes.ts'

const SERVERS = 3
const ELECTION = 0x40
const NODE = '/kept'
const CALM = { tickMs: 20, initLimitTicks: 50, syncLimitTicks: 50 } as const
const BACK_MS_MAX = 30_000
const POLL_MS = 10

function ofElection(sid: number, state: PeerState, leader: number, round: number): Uint8Array {
  const frame = encodeNotification({
    ...{ type: 'NOTIFICATION', state, leader, zxid: 0x100000001n, peerEpoch: 1, electionEpoch: round },
  })
  const head = Buffer.alloc(4)
  head.writeInt32BE(frame.length)
  const initiation = encodeInitiation(sid, { host: '127.0.0.1', port: 1 })
  return Uint8Array.of(ELECTION, ...initiation, ...head, ...frame)
}

function ofQuorum(sid: number, packets: readonly Packet[]): Uint8Array {
  const learner = new PeerLink({ role: 'learner', sid })
  return Uint8Array.of(0, ...Buffer.concat(packets.flatMap((packet) => [...learner.encode(packet)])))
}

/** The ensemble, and what was acknowledged to a client of it. */
class Three {
  readonly ports: readonly { readonly peer: number; readonly election: number }[]
  readonly #members: readonly EnsembleMember[]
  #acknowledged = -1
  #attempted = -1

  private constructor(members: readonly EnsembleMember[], texts: Readonly<Record<number, string>>) {
    this.#members = members
    this.ports = Object.values(texts).map((text) => {
      const [, peer, election] = text.split(/[:;]/)
      return { peer: Number(peer), election: Number(election) }
    })
  }

  static async open(): Promise<Three> {
    const texts = await memberTexts(SERVERS)
    const three = new Three(await startThree(texts, { ...CALM, onError: () => undefined }), texts)
    await three.check()
    return three
  }

  /** @throws BrokenPromise unless all serve in time, and all that was acknowledged is there */
  async check(): Promise<void> {
    const untilMs = performance.now() + BACK_MS_MAX
    const isBy = async (look: () => Promise<boolean> | boolean): Promise<boolean> => {
      while (!(await look())) {
        if (performance.now() > untilMs) return false
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
      return true
    }
    const serve = await isBy(() => this.#members.every(({ leader }) => leader !== null))
    promise(serve, `not all servers serve ${BACK_MS_MAX} ms after a stranger has gone`)
    promise(await isBy(() => this.#wrote()), `no write was acknowledged ${BACK_MS_MAX} ms after a stranger has gone`)
  }

  async close(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.close()))
  }

  /** Whether one server answers a read that shows what was acknowledged, and acknowledges a write. */
  async #wrote(): Promise<boolean> {
    const member = this.#members[(this.#attempted + 1) % SERVERS] as EnsembleMember
    let client: RawClient | null = null
    try {
      client = await RawClient.open(portOf(member), { timeOut: 4_000 })
      await client.ask(OpCode.sync, { path: '/' })
      const { err, body } = await client.ask(OpCode.getData, { path: NODE, watch: false })
      const data = body !== null && 'data' in body ? body.data : null
      const found = err === 0 ? Number(Buffer.from(data ?? []).toString()) : -1
      const isThere = found >= this.#acknowledged && found <= this.#attempted
      promise(isThere, `${this.#acknowledged} to ${this.#attempted} were written, ${found} is there`)
      this.#attempted += 1
      const value = Buffer.from(String(this.#attempted))
      const written = found === -1
        ? await client.ask(OpCode.create, { path: NODE, data: value, acl: OPEN_ACL, flags: CreateFlag.persistent })
        : await client.ask(OpCode.setData, { path: NODE, data: value, version: -1 })
      if (written.err !== 0) return false
      this.#acknowledged = this.#attempted
      return true
    } catch (error) {
      if (error instanceof Error && error.name === 'BrokenPromise') throw error
      return false
    } finally {
      await client?.drop()
    }
  }
}

let three: Three | null = null

/** The target. */
export const peers: Target = {
  name: 'peers',
  reads: 'the election and quorum ports of servers, over sockets',
  limits: { ...PURE_LIMITS, cpuMsMax: 5_000, memoryBytesMax: 128 * 1024 * 1024, hangMsMax: 120_000 },
  mutators: BYTE_MUTATORS,
  isPure: false,
  seeds: () => [
    ofElection(3, 'LOOKING', 3, 1),
    ofElection(9, 'LOOKING', 9, 1),
    ofElection(3, 'LEADING', 3, 2),
    ofElection(2, 'FOLLOWING', 1, 0x7fff_ffff),
    ofQuorum(9, [{ type: 'FOLLOWERINFO', acceptedEpoch: 1 }]),
    ofQuorum(3, [{ type: 'FOLLOWERINFO', acceptedEpoch: 1 }, { type: 'ACKEPOCH', currentEpoch: 1, lastZxid: 1n }]),
    ofQuorum(2, [{ type: 'OBSERVERINFO', acceptedEpoch: 0 }, { type: 'ACK', zxid: 0x100000001n }]),
    ofQuorum(3, [
      { type: 'FOLLOWERINFO', acceptedEpoch: 0x7fff_fff0 },
      { type: 'ACKEPOCH', currentEpoch: -1, lastZxid: 0x7fff_fff0_0000_0001n },
      { type: 'ACK', zxid: 0x7fff_fff0_0000_0001n },
      { type: 'PING', touched: [{ sessionId: 5n, timeoutMs: 4_000 }] },
    ]),
    Uint8Array.of(ELECTION, ...Buffer.from('GET / HTTP/1.1\r\n\r\n')),
  ],
  async start() {
    three = await Three.open()
  },
  async run([head = 0, ...rest]) {
    if (three === null) throw new Error('the target is not started')
    const ports = three.ports[head % SERVERS]
    const port = (head & ELECTION) === 0 ? ports?.peer : ports?.election
    const isClosed = await sendBytes(port ?? 0, Uint8Array.from(rest), head >> 3)
    promise(isClosed, 'a connection stays after its stranger has ended it')
    await three.check()
  },
  async stop() {
    await three?.close()
    three = null
  },
}
