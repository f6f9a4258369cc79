/**
 * One connection that scripts are sent on, until it is lost.
 *
 * Order     scripts are done and answered in the order in which they were sent. The first use of a script sends its
 *           text, which the server then remembers, so that none has to wait for a reply before the next is sent.
 * Errors    of ioredis are not handed on: they carry the command with its arguments, a password among
 *           them. Only messages are taken over.
 */
import { CoordinationError } from '../../core/errors.ts'
import type { ScriptConnection } from './driver.ts'
import { parseReply } from './reply.ts'
import type { Reply } from './reply.ts'
import type { Script } from './io/script.ts'
import { ServerError } from './server-error.ts'

/** A connection. */
export class Link {
  readonly #connection: ScriptConnection
  readonly #key: string
  readonly #known = new Set<Script>()
  #onLost: ((reason: string) => void) | null = null
  #lostBecause: string | null = null
  /** The last error that ioredis told besides. */
  #error: Error | null = null
  /** Set once the server has taken no such user or password, which ioredis tells in passing and then hangs up. */
  #forbidden: ServerError | null = null

  /**
   * Takes over a connection that is not connected yet.
   *
   * @param key - the key that all scripts are given: the hash tag of the namespace
   */
  constructor(connection: ScriptConnection, key: string) {
    this.#connection = connection
    this.#key = key
    connection.on('error', (error: Error) => {
      this.#error = error
      const answer = isAnswer(error) ? new ServerError(error.message) : null
      if (answer?.reason === 'forbidden') this.#forbidden = answer
    })
    for (const event of ['close', 'end']) {
      connection.on(event, () => {
        this.#lose(this.#error?.message ?? 'the connection was closed')
      })
    }
  }

  /**
   * Connects.
   *
   * @throws ServerError if the server takes no such user or password; CoordinationError `CONNECTION_LOSS` if it is not
   * reached
   */
  async connect(): Promise<void> {
    try {
      await this.#connection.connect()
    } catch (error) {
      this.close()
      throw this.#forbidden ?? lost(messageOf(this.#error ?? error))
    }
  }

  /** Calls back once when it is lost; not if it is closed. */
  whenLost(onLost: (reason: string) => void): void {
    const reason = this.#lostBecause
    if (reason === null) this.#onLost = onLost
    else queueMicrotask(() => onLost(reason))
  }

  /**
   * Sends a script.
   *
   * @throws ServerError if the server answered with an error; CoordinationError `CONNECTION_LOSS` if it did not answer,
   * `PROTOCOL_VIOLATION` if what it answered is no reply
   */
  async run(script: Script, args: readonly (string | Buffer)[]): Promise<Reply> {
    if (this.#lostBecause !== null) throw this.#forbidden ?? lost(this.#lostBecause)
    let raw: unknown
    try {
      raw = await this.#send(script, args)
    } catch (error) {
      if (isAnswer(error)) throw new ServerError(error.message)
      const message = messageOf(error)
      this.#lose(message)
      throw this.#forbidden ?? lost(message)
    }
    return parseReply(raw)
  }

  /** The server has forgotten the scripts: their texts are sent again. */
  forgetScripts(): void {
    this.#known.clear()
  }

  /** Gives it up for a reason, which whoever waits for an answer is told. */
  abandon(reason: string): void {
    this.#lose(reason)
  }

  /** Closes it; nobody is told. */
  close(): void {
    this.#onLost = null
    this.#lostBecause ??= 'it was closed here'
    this.#connection.disconnect()
  }

  #send(script: Script, args: readonly (string | Buffer)[]): Promise<unknown> {
    if (this.#known.has(script)) return this.#connection.evalshaBuffer(script.sha, 1, this.#key, ...args)
    this.#known.add(script)
    return this.#connection.evalBuffer(script.text, 1, this.#key, ...args)
  }

  #lose(reason: string): void {
    if (this.#lostBecause !== null) return
    this.#lostBecause = reason
    const onLost = this.#onLost
    this.#onLost = null
    this.#connection.disconnect()
    onLost?.(reason)
  }
}

/** The error for a script that was not answered. */
function lost(message: string): CoordinationError {
  return new CoordinationError('CONNECTION_LOSS', `lost the connection to Redis: ${message}`, { outcome: 'not-sent' })
}

/** Whether an error is the server's answer, rather than the end of the connection. */
function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
