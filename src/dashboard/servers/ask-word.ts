/** A four-letter word, asked of a server over TCP. */
import { connect } from 'node:net'
import type { ServerAddress } from '../../backends/client/server-address.ts'

const ANSWER_BYTES_MAX = 0x10_0000

/**
 * Asks a server a word.
 *
 * @param limitMs - how long it may take in all
 * @param stop - ends the wait
 * @returns the answer
 * @throws Error whose message says in a few words why there is none
 */
export function askWord(address: ServerAddress, word: string, limitMs: number, stop: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    // One of its own: a signal that many ask with would warn of so many listeners.
    const signal = AbortSignal.any([stop])
    const chunks: Buffer[] = []
    let length = 0
    const socket = connect(address)
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      settle()
    }
    const fail = (reason: string): void => end(() => reject(new Error(reason)))
    const giveUp = (): void => fail('interrupted')
    const timer = setTimeout(() => fail(`no answer within ${limitMs} ms`), limitMs)
    // A name that has several addresses fails without a message.
    socket.on('error', ({ message, code }: NodeJS.ErrnoException) => fail(message || (code ?? 'no connection')))
    socket.on('end', () => end(() => resolve(Buffer.concat(chunks).toString())))
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > ANSWER_BYTES_MAX) fail('its answer is too long')
    })
    if (signal.aborted) return giveUp()
    signal.addEventListener('abort', giveUp)
    socket.write(word)
  })
}
