/**
 * The worker of a client: it takes a FairLock in turn with the other one, and under the lock it reads the account and
 * writes one more. Told to, it stands still in between: really, with its whole event loop, as a process does that is
 * paused.
 */
import { CAPABILITIES } from '../../src/backends/embedded/capabilities.ts'
import { openClientSession } from '../../src/backends/client/session.ts'
import type { Backend } from '../../src/core/backend.ts'
import { connect } from '../../src/core/connect.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import type { Activity, ClientName, FromWorker, ToWorker } from './messages.ts'
import { PortDialer } from './port-channels.ts'

const SESSION_TIMEOUT_MS = 3_000
const WRITES_OF_A_TURN = 3
const THINK_MS = 350
const REST_MS = 250
const LOCK = '/locks/account'

/** Where a client is, and its way to the servers. */
export interface ClientPlace {
  readonly name: ClientName
  readonly servers: number
  readonly port: MessagePort
}

/** Runs the client; answers with what takes the page's messages. */
export function runClient(place: ClientPlace, post: (message: FromWorker) => void): (message: ToWorker) => void {
  const worker = new TurnTaker(place.name, post)
  void worker.run(place)
  return (message) => {
    if (message.kind === 'pause') worker.pauseMs = message.ms
    if (message.kind === 'balance') worker.answered(message.balance)
  }
}

class TurnTaker {
  /** How long to stand still before the next writing, in milliseconds. */
  pauseMs = 0
  readonly #name: ClientName
  readonly #post: (message: FromWorker) => void
  #answer: (balance: number) => void = () => undefined

  constructor(name: ClientName, post: (message: FromWorker) => void) {
    this.#name = name
    this.#post = post
  }

  answered(balance: number): void {
    this.#answer(balance)
  }

  async run({ name, servers, port }: ClientPlace): Promise<void> {
    this.#show('connects', null)
    const dialer = new PortDialer(port, servers, name === 'A' ? 0 : 1)
    const backend: Backend = {
      name: 'embedded',
      capabilities: CAPABILITIES,
      open: (options) => openClientSession(dialer, { ...options, sessionTimeoutMs: SESSION_TIMEOUT_MS }),
    }
    const client = await connect(backend)
    const lock = new FairLock(client, LOCK)
    for (;;) {
      try {
        this.#show('waits', null)
        await this.#turn(await lock.acquire({ data: name }))
      } catch (error) {
        // The lock is lost, or no server is in touch. The client gets its next session by itself: ask again.
        const reason = error instanceof Error ? error.message : String(error)
        this.#post({ kind: 'event', text: `Client ${name}: ${reason}.` })
        this.#show('is out of touch', null)
      }
      await sleep(REST_MS)
    }
  }

  async #turn(lease: Lease): Promise<void> {
    const { token, signal } = lease
    this.#show('holds the lock', token)
    for (let writes = 0; writes < WRITES_OF_A_TURN && !signal.aborted; writes++) {
      const balance = await this.#read()
      await sleep(THINK_MS)
      if (this.pauseMs > 0) this.#standStill(token)
      // After a pause nothing has told it yet that the lock is lost, so it writes: the account has to look.
      if (!signal.aborted) this.#post({ kind: 'write', name: this.#name, token, balance: balance + 1 })
    }
    this.#show(signal.aborted ? 'has lost the lock' : 'gives the lock back', null)
    await lease.release()
  }

  #standStill(token: bigint): void {
    const ms = this.pauseMs
    this.pauseMs = 0
    this.#show('stands still', token)
    block(ms)
    this.#show('holds the lock', token)
  }

  #read(): Promise<number> {
    this.#post({ kind: 'read', name: this.#name })
    return new Promise((resolve) => {
      this.#answer = resolve
    })
  }

  #show(activity: Activity, token: bigint | null): void {
    this.#post({ kind: 'client', name: this.#name, activity, token })
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Blocks this thread: no timer of it fires, no message is read. */
function block(ms: number): void {
  const untilMs = performance.now() + ms
  const word = sharedWord()
  if (word !== null) Atomics.wait(word, 0, 0, ms)
  // Where a page gets no shared memory, it is busy instead.
  while (performance.now() < untilMs);
}

/** Memory to wait on. A page that is not isolated has the constructor of shared buffers only by way of WebAssembly. */
function sharedWord(): Int32Array | null {
  try {
    return new Int32Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer)
  } catch {
    return null
  }
}
