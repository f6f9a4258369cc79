/** Servers of ours on TCP ports, for clients in other languages, and what these clients ask to be done to them. */
import { createConnection } from 'node:net'
import { embedded } from 'quorate/embedded'
import type { Ensemble } from 'quorate/embedded'
import type { Asks } from './programs.ts'

const POLL_MS = 10

/** Servers on ports of their own. */
export interface Servers extends AsyncDisposable {
  /** `host:port,...` of all of them. */
  readonly addresses: string
  /** What is done to them when a program asks for it. */
  readonly asks: Asks
}

/** Starts one server, or an ensemble of three. */
export async function startServers(count: 1 | 3): Promise<Servers> {
  const begin = async (clientPorts: readonly number[]): Promise<Ensemble> => {
    const begun = embedded({ servers: count, clientPorts, fourLetterWords: ['cons'] })
    await begun.start()
    return begun
  }
  let ensemble = await begin(Array.from({ length: count }, () => 0))
  const ports = ensemble.clientPorts
  return {
    addresses: ports.map((port) => `127.0.0.1:${port}`).join(','),
    asks: {
      ...asksOf(() => ensemble),
      'begin-again': async () => {
        await ensemble.close()
        ensemble = await begin(ports)
      },
    },
    [Symbol.asyncDispose]: () => ensemble.close(),
  }
}

/** Sessions are named by their ids in decimal, of which Java's can be negative. */
function asksOf(current: () => Ensemble): Asks {
  const crashed: number[] = []
  const idOf = (session: string): bigint => BigInt.asIntN(64, BigInt(session))
  return {
    disconnect: (session) => current().disconnectSession(idOf(session)),
    expire: (session) => current().expireSession(idOf(session)),
    'crash-server-of': async (session) => {
      const id = await serverOf(current(), idOf(session))
      crashed.push(id)
      current().crash(id)
    },
    restart: async () => {
      for (const id of crashed.splice(0)) current().restart(id)
      while (current().status().some(({ serving }) => !serving)) {
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
