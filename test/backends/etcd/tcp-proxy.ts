/**
 * A TCP proxy under a test's control: it can cut what is connected, refuse more, and swallow what comes back. It reads
 * HTTP/2 as far as to know which answer is that of which request.
 */
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
   * Lets the next request that holds some bytes through, and cuts its connection instead of letting the answer back.
   *
   * @returns resolves when that has happened
   */
  loseAnswerOf(pattern: RegExp): Promise<void>
  /** How many requests that hold some bytes have gone through. */
  count(pattern: RegExp): number
  close(): Promise<void>
}

/** Length of the preface that a client sends before its first frame. */
const PREFACE_BYTES = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.length
const FRAME_HEAD_BYTES = 9
const TYPE_OFFSET = 3
const STREAM_OFFSET = 5
const DATA_FRAME = 0

/** Starts a proxy before a server on loopback. */
export async function startProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const seen: string[] = []
  let isCut = false
  let victim: { readonly pattern: RegExp; readonly done: () => void } | null = null

  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = createConnection({ host: hostname, port: Number(port) })
    let doomed: { readonly stream: number; readonly done: () => void } | null = null
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
    const asked = dataFrames(PREFACE_BYTES, (stream, content) => {
      seen.push(content)
      if (victim?.pattern.test(content) !== true) return
      doomed = { stream, done: victim.done }
      victim = null
    })
    let isLost = false
    const answered = dataFrames(0, (stream) => {
      if (stream !== doomed?.stream) return
      isLost = true
      near.destroy()
      doomed.done()
    })
    near.on('data', (chunk) => {
      asked(chunk)
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      answered(chunk)
      if (!isLost) near.write(chunk)
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
    loseAnswerOf: (pattern) =>
      new Promise((resolve) => {
        victim = { pattern, done: resolve }
      }),
    count: (pattern) => seen.filter((content) => pattern.test(content)).length,
    close: async () => {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Finds the frames with contents in a stream, after so many bytes of a preface; their bytes as characters. */
function dataFrames(skipped: number, onData: (stream: number, content: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let toSkip = skipped
  return (chunk) => {
    rest = Buffer.concat([rest, chunk.subarray(toSkip)])
    toSkip = Math.max(0, toSkip - chunk.length)
    while (rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + rest.readUIntBE(0, TYPE_OFFSET)
      if (rest.length < end) return
      const stream = rest.readUInt32BE(STREAM_OFFSET)
      if (rest[TYPE_OFFSET] === DATA_FRAME) onData(stream, rest.toString('latin1', FRAME_HEAD_BYTES, end))
      rest = rest.subarray(end)
    }
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
}
