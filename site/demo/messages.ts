/** The messages between the page and its workers, and between the workers. */
import type { ClientMessage, ServerMessage } from '../../src/backends/wire/records.ts'

/** A client of the demonstration. */
export type ClientName = 'A' | 'B'

/** Something to do to the servers. */
export type Lever =
  | { readonly type: 'crash'; readonly server: number }
  | { readonly type: 'cut'; readonly server: number }
  | { readonly type: 'heal' }
  | { readonly type: 'restart' }

/** From the page to a worker; the first says what it is. */
export type ToWorker =
  | { readonly kind: 'ensemble'; readonly servers: number }
  /** The clients' way to the servers: their end of it goes to them. */
  | { readonly kind: 'way'; readonly port: MessagePort }
  | { readonly kind: 'lever'; readonly lever: Lever }
  | { readonly kind: 'client'; readonly name: ClientName; readonly servers: number; readonly port: MessagePort }
  /** Stand still for this long between the next reading of the account and the writing. */
  | { readonly kind: 'pause'; readonly ms: number }
  /** The account's answer to a reading. */
  | { readonly kind: 'balance'; readonly balance: number }
  | { readonly kind: 'end' }

/** A server, as the page shows it. */
export interface ServerView {
  readonly id: number
  readonly role: 'LOOKING' | 'LEADING' | 'FOLLOWING' | 'OBSERVING' | 'DOWN'
  readonly serving: boolean
  readonly epoch: number
  /** Whether it is cut off from the others. */
  readonly isCutOff: boolean
}

/** The activity of a client. */
export type Activity =
  | 'connects'
  | 'waits'
  | 'holds the lock'
  | 'stands still'
  | 'gives the lock back'
  | 'has lost the lock'
  | 'is out of touch'

/** From a worker to the page. */
export type FromWorker =
  | { readonly kind: 'servers'; readonly servers: readonly ServerView[] }
  | { readonly kind: 'event'; readonly text: string }
  | {
      readonly kind: 'client'
      readonly name: ClientName
      readonly activity: Activity
      /** The fencing token of its lease; null without one. */
      readonly token: bigint | null
    }
  | { readonly kind: 'read'; readonly name: ClientName }
  | { readonly kind: 'write'; readonly name: ClientName; readonly token: bigint; readonly balance: number }

/** From a client to the servers, on the way between them. */
export type ToServers =
  | { readonly kind: 'dial'; readonly channel: number; readonly turn: number }
  | { readonly kind: 'send'; readonly channel: number; readonly message: ClientMessage }
  | { readonly kind: 'close'; readonly channel: number }

/** From the servers to a client. */
export type ToClient =
  | { readonly kind: 'message'; readonly channel: number; readonly message: ServerMessage }
  | { readonly kind: 'closed'; readonly channel: number }
