/**
 * Keeps what ioredis throws while it reads from ending the process: its parser runs in a listener of the socket, and an
 * answer that no Redis gives (a list longer than any, lists in lists, an answer that nobody asked for) is an error
 * there that nobody could catch.
 *
 * Model     once connected, each listener for the socket's data is called within a guard. An error ends the socket with
 *           that reason, as a reset would, and nothing more is read from it.
 */
type Listener = (...args: unknown[]) => unknown

/** A socket, as far as it is used. */
interface Stream {
  listeners(event: 'data'): Listener[]
  removeListener(event: 'data', listener: Listener): unknown
  on(event: 'data', listener: Listener): unknown
  destroy(reason: Error): unknown
}

/** Guards a connection that is not connected yet; one that has no socket, as in ioredis-mock, stays as it is. */
export function guardReplies(connection: { on(event: 'connect', listener: () => void): unknown }): void {
  connection.on('connect', () => {
    const stream = streamOf(connection)
    if (stream === null) return
    let isBroken = false
    for (const listener of stream.listeners('data')) {
      stream.removeListener('data', listener)
      stream.on('data', (...args) => {
        if (isBroken) return
        try {
          listener.apply(stream, args)
        } catch (error) {
          isBroken = true
          const what = error instanceof Error ? error.message : 'unreadable'
          stream.destroy(new Error(`its answer is none of Redis: ${what}`))
        }
      })
    }
  })
}

function streamOf(connection: object): Stream | null {
  const stream: unknown = 'stream' in connection ? connection.stream : null
  const isStream = typeof stream === 'object' && stream !== null && 'destroy' in stream && 'listeners' in stream
  return isStream ? (stream as Stream) : null
}
