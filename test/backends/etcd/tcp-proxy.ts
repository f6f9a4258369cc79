/** A TCP proxy under a test's control: it can cut what is connected, refuse more, and swallow what comes back. */
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A proxy before one server. */
export interface TcpProxy {
  /** Where it listens, such as `http://127.0.0.1:1234`. */
  readonly url: string
  /** Cuts every connection and refuses more. */
  cut(): void
  /** Lets connections through again. */
  mend(): void
  /**
   * Lets the next request that holds a text through, and cuts its connection instead of letting the answer back.
   *
   * @returns resolves when that has happened
   */
  loseAnswerOf(text: string): Promise<void>
  /** How many requests that hold a text have gone through. */
  count(text: string): number
  close(): Promise<void>
}

/** Starts a proxy before a server on loopback. */
export async function startProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const seen: string[] = []
  let isCut = false
  let victim: { readonly text: string; readonly done: () => void } | null = null

  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = createConnection({ host: hostname, port: Number(port) })
    let isDoomed: (() => void) | null = null
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.once('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.on('data', (chunk) => {
      const text = chunk.toString('latin1')
      seen.push(text)
      if (victim !== null && text.includes(victim.text)) {
        isDoomed = victim.done
        victim = null
      }
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      if (isDoomed === null) {
        near.write(chunk)
        return
      }
      near.destroy()
      isDoomed()
    })
  })
  await listen(server)
  const { port: ownPort } = server.address() as AddressInfo
  const cut = (): void => {
    isCut = true
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${ownPort}`,
    cut,
    mend: () => {
      isCut = false
    },
    loseAnswerOf: (text) =>
      new Promise((resolve) => {
        victim = { text, done: resolve }
      }),
    count: (text) => seen.filter((chunk) => chunk.includes(text)).length,
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
}
