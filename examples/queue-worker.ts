/**
 * A worker for jobs, as those who know BullMQ or Celery write one: concurrency, attempts with a growing pause, dead
 * letters, and a worker that dies in the middle of its work.
 *
 * Use       `npm run build:examples && node dist-examples/examples/queue-worker.js`
 * Story     twenty mails are to be sent. One address is refused the first two times, one always. A worker loses its
 *           session while it works on a mail: another does that one. At the end each mail was delivered once, but for
 *           the one that nobody can send, which is among the dead letters.
 * Once      a queue delivers at least once. The outbox, which stands for the service that sends, takes the id of the
 *           item as a key and refuses what it has had: that makes it once.
 * Status    0; 1 if a check fails.
 */
import { realpathSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect, DistributedQueue, isCoordinationError } from 'quorate'
import type { Backend, Client, QueueItem } from 'quorate'
import { embedded } from 'quorate/embedded'

const PATH = '/queues/mail'
const MAILS = Array.from({ length: 20 }, (_, index) => ({ to: `customer-${index}@example.org` }))
const SLOW = 'customer-3@example.org'
const IMPOSSIBLE = 'customer-7@example.org'
const STUCK = 'customer-11@example.org'
const ATTEMPTS_MAX = 3
/** Mails that one worker sends at a time. */
const CONCURRENCY = 4
const FIRST_PAUSE_MS = 50
const RUN_MS_MAX = 60_000

interface Mail {
  readonly to: string
}

/** The service that sends mails; it stands for a system of others. */
class Outbox {
  readonly sent = new Map<string, string>()
  readonly #tries = new Map<string, number>()

  /** Sends a mail; the id is the idempotency key. */
  send(id: string, { to }: Mail): void {
    const tries = (this.#tries.get(to) ?? 0) + 1
    this.#tries.set(to, tries)
    if (to === IMPOSSIBLE || (to === SLOW && tries < ATTEMPTS_MAX)) throw new Error(`mailbox of ${to} is not available`)
    if (!this.sent.has(id)) this.sent.set(id, to)
  }
}

/** A worker with a client of its own, as a process would have. */
class Worker {
  readonly #outbox: Outbox
  readonly #client: Client
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  /** Resolves when it has begun on the mail at which it is to die. */
  readonly atStuck: Promise<void>
  #atStuckNow: () => void = () => undefined
  #diesAtStuck: boolean

  private constructor(client: Client, outbox: Outbox, diesAtStuck: boolean) {
    this.#diesAtStuck = diesAtStuck
    this.#client = client
    this.#outbox = outbox
    this.atStuck = new Promise((resolve) => (this.#atStuckNow = resolve))
    this.#running = this.#run()
  }

  static async start(backend: Backend, outbox: Outbox, diesAtStuck = false): Promise<Worker> {
    return new Worker(await connect(backend), outbox, diesAtStuck)
  }

  get sessionId(): bigint {
    return this.#client.sessionId ?? 0n
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#client.close()
  }

  async #run(): Promise<void> {
    const queue = new DistributedQueue<Mail>(this.#client, PATH)
    const working = new Set<Promise<void>>()
    try {
      for await (const item of queue.consume({ concurrency: CONCURRENCY, signal: this.#stop.signal })) {
        const work = this.#work(item).finally(() => working.delete(work))
        working.add(work)
      }
    } catch (error) {
      if (!isCoordinationError(error, 'ABORTED')) throw error
    }
    await Promise.all(working)
  }

  async #work(item: QueueItem<Mail>): Promise<void> {
    try {
      if (this.#diesAtStuck && item.value.to === STUCK) {
        // Once: it is back with its next session, as a process that is started again.
        this.#diesAtStuck = false
        this.#atStuckNow()
        await new Promise((resolve) => item.signal.addEventListener('abort', resolve))
      }
      item.throwIfLost()
      this.#outbox.send(item.id, item.value)
      await item.ack()
    } catch (error) {
      // Another has the item, or will have it.
      if (isCoordinationError(error, 'LEASE_LOST')) return
      await this.#retry(item, error as Error)
    }
  }

  /** Gives it back after a pause that doubles, or puts it away. */
  async #retry(item: QueueItem<Mail>, { message }: Error): Promise<void> {
    if (item.attempt >= ATTEMPTS_MAX) {
      await item.deadLetter(message)
      return
    }
    await delay(FIRST_PAUSE_MS * 2 ** (item.attempt - 1))
    await item.nack()
  }
}

/** Runs the story, and tells which checks hold. */
export async function runQueueWorker(): Promise<Readonly<Record<string, boolean>>> {
  await using ensemble = embedded({ servers: 3 })
  await using producer = await connect(ensemble)
  const queue = new DistributedQueue<Mail>(producer, PATH)
  for (const mail of MAILS) await queue.put(mail, { priority: mail.to === STUCK ? 1 : 100 })
  const outbox = new Outbox()
  const unlucky = await Worker.start(ensemble, outbox, true)
  await unlucky.atStuck
  const others = [await Worker.start(ensemble, outbox), await Worker.start(ensemble, outbox)]
  ensemble.expireSession(unlucky.sessionId)
  const endMs = performance.now() + RUN_MS_MAX
  const isDone = async (): Promise<boolean> => (await queue.size()) === 0
  while (!(await isDone()) && performance.now() < endMs) await delay(20)
  const dead = await queue.deadLetters()
  await Promise.all([unlucky, ...others].map((worker) => worker.stop()))
  const delivered = [...outbox.sent.values()].sort()
  const expected = MAILS.map(({ to }) => to).filter((to) => to !== IMPOSSIBLE).sort()
  return {
    'each mail was delivered that can be': delivered.join() === expected.join(),
    'none of them twice': new Set(delivered).size === delivered.length,
    'the one that was refused at first was delivered in the end': delivered.includes(SLOW),
    'the one that nobody can send is a dead letter': dead.map(({ value }) => value?.to).join() === IMPOSSIBLE,
    'with its reason and its attempts': dead[0]?.attempt === ATTEMPTS_MAX && dead[0].reason.includes('mailbox'),
    'the mail of the worker that died was done by another': delivered.includes(STUCK),
  }
}

// A link may lead here.
const [, program] = process.argv
if (program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const checks = await runQueueWorker()
  for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? 'ok  ' : 'FAIL'} ${check}`)
  process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1
}
