/** The demonstration without its drawing: the workers, the account, and what the page shows of them. */
import { Account } from './account.ts'
import type { AccountView, Verdict } from './account.ts'
import type { Activity, ClientName, FromWorker, Lever, ServerView, ToWorker } from './messages.ts'
import { Numbers } from './numbers.ts'

/** How many servers there are. */
export const SERVERS = 3
/** Longer than the clients' session time-out, so that the servers give the lock to the other one. */
export const PAUSE_MS = 6_000

const EVENTS_MAX = 6
const CLIENTS: readonly ClientName[] = ['A', 'B']

/** A client, as the page shows it. */
export interface ClientView {
  readonly name: ClientName
  readonly activity: Activity
  readonly token: bigint | null
}

/** Something that has happened. */
export interface Happening {
  readonly id: number
  readonly text: string
  readonly isBad: boolean
}

/** Everything that the page shows. */
export interface StageView {
  readonly servers: readonly ServerView[]
  readonly clients: readonly ClientView[]
  readonly account: AccountView
  /** The latest, newest first. */
  readonly events: readonly Happening[]
}

/** A running demonstration. */
export class Stage {
  /** How its epochs and tokens are shown. */
  readonly numbers = new Numbers()
  readonly #account = new Account()
  readonly #workers = new Map<ClientName, Worker>()
  readonly #ensemble: Worker
  readonly #onChange: (view: StageView) => void
  #servers: readonly ServerView[] = []
  #clients: readonly ClientView[] = CLIENTS.map((name) => ({ name, activity: 'connects', token: null }))
  #events: readonly Happening[] = []
  #lastEvent = 0

  /** Starts the servers and the clients. */
  constructor(onChange: (view: StageView) => void) {
    this.#onChange = onChange
    this.#ensemble = this.#startWorker({ kind: 'ensemble', servers: SERVERS })
    for (const name of CLIENTS) {
      const { port1, port2 } = new MessageChannel()
      this.#ensemble.postMessage({ kind: 'way', port: port1 } satisfies ToWorker, [port1])
      this.#workers.set(name, this.#startWorker({ kind: 'client', name, servers: SERVERS, port: port2 }, [port2]))
    }
  }

  get view(): StageView {
    return { servers: this.#servers, clients: this.#clients, account: this.#account.view, events: this.#events }
  }

  /** Does something to the servers. */
  pull(lever: Lever): void {
    this.#ensemble.postMessage({ kind: 'lever', lever } satisfies ToWorker)
  }

  /** Has a client stand still before its next writing. */
  pause(name: ClientName): void {
    this.#workers.get(name)?.postMessage({ kind: 'pause', ms: PAUSE_MS } satisfies ToWorker)
    this.#tell(`Client ${name} stands still for ${PAUSE_MS / 1_000} s before its next writing.`, false)
  }

  /** Whether the account looks at tokens. */
  checkTokens(checks: boolean): void {
    this.#account.checksTokens = checks
    this.#tell(checks ? 'The account checks tokens.' : 'The account takes every write, whatever its token.', false)
  }

  /** Ends all of it, at once. */
  end(): void {
    for (const worker of [this.#ensemble, ...this.#workers.values()]) worker.terminate()
  }

  #startWorker(first: ToWorker, transfer: Transferable[] = []): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      this.#take(data)
      this.#onChange(this.view)
    })
    worker.addEventListener('error', ({ message }) => {
      this.#tell(`This browser does not run it: ${message}`, true)
      this.#onChange(this.view)
    })
    worker.postMessage(first, transfer)
    return worker
  }

  #take(message: FromWorker): void {
    switch (message.kind) {
      case 'servers':
        this.#servers = message.servers
        // The greatest is the first one that serves, also where a server is still to hear of it.
        this.numbers.epoch(Math.max(...message.servers.filter(({ serving }) => serving).map(({ epoch }) => epoch), 0))
        return
      case 'event':
        return this.#tell(message.text, false)
      case 'client': {
        const { name, activity, token } = message
        this.#clients = this.#clients.map((client) => (client.name === name ? { name, activity, token } : client))
        return
      }
      case 'read': {
        const { balance } = this.#account.view
        this.#workers.get(message.name)?.postMessage({ kind: 'balance', balance } satisfies ToWorker)
        return
      }
      case 'write':
        this.#tellVerdict(message.name, message.token, this.#account.write(message.token, message.balance))
    }
  }

  #tellVerdict(name: ClientName, token: bigint, verdict: Verdict): void {
    const shown = this.numbers.token(token)
    if (verdict.type === 'refused') {
      const seen = this.numbers.token(verdict.lastToken)
      this.#tell(`Refused: client ${name} writes late, under token ${shown}; the account has seen ${seen}.`, false)
    }
    if (verdict.type === 'accident') {
      const writes = verdict.undone === 1 ? 'a write' : `${verdict.undone} writes`
      const what = `client ${name} writes late, under token ${shown}, and ${writes} of the other are lost.`
      this.#tell(`Accident: ${what}`, true)
    }
  }

  #tell(text: string, isBad: boolean): void {
    this.#lastEvent += 1
    this.#events = [{ id: this.#lastEvent, text, isBad }, ...this.#events].slice(0, EVENTS_MAX)
    this.#onChange(this.view)
  }
}
