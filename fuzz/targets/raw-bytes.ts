/** Sends bytes to a port in pieces, and waits for the end of the connection. */
import { connect } from 'node:net'

/** How long a server has to close a connection that its peer has ended, in milliseconds. */
const CLOSE_MS_MAX = 10_000

/** How long the pieces are, by a number. */
const PIECES: readonly number[] = [0x10000, 1, 3, 16, 100, 0x10000, 0x10000, 0x10000]

/**
 * Sends bytes, ends the sending half, and waits until the other side has ended the rest.
 *
 * @param cut - chooses how long the pieces are
 * @returns whether it was closed in time
 */
export async function sendBytes(port: number, bytes: Uint8Array, cut: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  socket.resume()
  const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)))
  const piece = PIECES[cut % PIECES.length] ?? 1
  for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece))
  socket.end()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), CLOSE_MS_MAX)
  })
  const isClosed = await Promise.race([closed, late])
  clearTimeout(timer)
  socket.destroy()
  return isClosed
}
