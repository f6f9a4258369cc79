/** Servers for clients in other languages, and what these clients ask to be done to ours. */
import { createConnection } from 'node:net'
import { embedded } from 'quorate/embedded'
import type { EmbeddedOptions, Ensemble } from 'quorate/embedded'
import { freePorts } from '../engines/process.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'
import type { Asks } from './programs.ts'

const POLL_MS = 10
/** Of `super:test`, as kazoo's tests have it. */
const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='
const FOUR_LETTER_WORDS = ['cons', 'ruok', 'srvr', 'stat', 'mntr', 'conf', 'envi']

/** Servers on ports of their own. */
export interface Servers extends AsyncDisposable {
  /** `host:port,...` of all of them. */
  readonly addresses: string
  /** Faults that a program may ask for. */
  readonly asks: Asks
  /** Whether those that are up have no majority, and are read from. */
  areReadOnly(): boolean
}

/** Time-out of the sessions of those who meet on servers: no stall of a busy machine ends one. */
export const SESSION_TIMEOUT_MS = 20_000

/** Servers on which clients of several languages meet. */
export interface MeetingPlace {
  readonly connectString: string
  stop(): Promise<void>
}

/** ZooKeeper's servers and ours; `why` says why some cannot be started. */
export const SERVERS_OF_EACH_KIND = [
  { name: 'ZooKeeper', why: reasonToSkipZooKeeper(), start: (): Promise<MeetingPlace> => startZooKeeper() },
  { name: 'the embedded servers', why: null, start: startMeetingPlace },
]

async function startMeetingPlace(): Promise<MeetingPlace> {
  const ensemble = embedded({ servers: 3, clientPorts: [0, 0, 0], sessionTimeoutMs: SESSION_TIMEOUT_MS })
  await ensemble.start()
  const connectString = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`).join(',')
  return { connectString, stop: () => ensemble.close() }
}

/** Starts one server, or an ensemble of three. */
export async function startServers(count: 1 | 3, more: EmbeddedOptions = {}): Promise<Servers> {
  // Ports that nobody else is given while a server is down, the client that looks for it there least of all.
  const ports = await freePorts(count)
  const start = async (): Promise<Ensemble> => {
    const ensemble = embedded({
      servers: count, clientPorts: ports, fourLetterWords: FOUR_LETTER_WORDS, superDigest: SUPER_DIGEST, ...more,
    })
    await ensemble.start()
    return ensemble
  }
  let ensemble = await start()
  return {
    addresses: ports.map((port) => `127.0.0.1:${port}`).join(','),
    asks: {
      ...asksOf(() => ensemble),
      // Their memory is gone, and with it all that they knew of sessions.
      'begin-again': async () => {
        await ensemble.close()
        ensemble = await start()
      },
    },
    areReadOnly: () => ensemble.status().every(({ role, readOnly }) => role === 'DOWN' || readOnly),
    [Symbol.asyncDispose]: () => ensemble.close(),
  }
}

/** Sessions are named by their ids in decimal, of which Java's can be negative. */
function asksOf(ensemble: () => Ensemble): Asks {
  const crashed: number[] = []
  const idOf = (session: string): bigint => BigInt.asIntN(64, BigInt(session))
  return {
    disconnect: (session) => ensemble().disconnectSession(idOf(session)),
    expire: (session) => ensemble().expireSession(idOf(session)),
    'crash-server-of': async (session) => {
      const id = await serverOf(ensemble(), idOf(session))
      crashed.push(id)
      ensemble().crash(id)
    },
    crash: (id) => {
      crashed.push(Number(id))
      ensemble().crash(Number(id))
    },
    restart: async () => {
      for (const id of crashed.splice(0)) ensemble().restart(id)
      while (ensemble().status().some(({ serving }) => !serving)) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      }
    },
  }
}

/** The server to which the client of a session is connected. */
async function serverOf(ensemble: Ensemble, session: bigint): Promise<number> {
  const sid = `sid=0x${BigInt.asUintN(64, session).toString(16)},`
  for (const [index, port] of ensemble.clientPorts.entries()) {
    if ((await ask(port, 'cons')).includes(sid)) return index + 1
  }
  throw new Error(`no server has a connection with ${sid}`)
}

function ask(port: number, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = createConnection({ port, host: '127.0.0.1' }, () => void socket.write(word))
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answer)
    })
  })
}
