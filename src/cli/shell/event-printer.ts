/** Events of watches and of the session, printed in zkCli's form as they come. */
import type { WatchEvent } from '../../core/backend.ts'
import type { ClientState } from '../../core/client.ts'
import type { Result } from '../output.ts'
import { eventName, eventText } from './node-text.ts'

/** The names of a session's states in ZooKeeper's events; `closed` has none. */
const STATES: Partial<Record<ClientState['status'], string>> = {
  connected: 'SyncConnected',
  suspended: 'Disconnected',
  expired: 'Expired',
}

/** Prints what nobody has asked for. */
export class EventPrinter {
  /** Whether events are printed; `printwatches` changes it. */
  isOn = true
  /** Prints a result between two commands, or while one runs. A line editor replaces it. */
  print: (result: Result) => void

  /** @param print - prints a result as text or as JSON */
  constructor(print: (result: Result) => void) {
    this.print = print
  }

  /** Prints the event of a watch. */
  readonly tell = ({ type, path }: WatchEvent): void => {
    this.#tell(eventName(type), 'SyncConnected', path)
  }

  /** Prints that a watch was removed, as zkCli does. */
  tellRemoved(type: string, path: string): void {
    this.#tell(type, 'SyncConnected', path)
  }

  /** Prints a change of the session's state. */
  tellState({ status }: ClientState): void {
    const state = STATES[status]
    if (state !== undefined) this.#tell('None', state, null)
  }

  #tell(type: string, state: string, path: string | null): void {
    if (this.isOn) this.print({ text: eventText(type, state, path), json: { event: { type, state, path } } })
  }
}
