/**
 * One lock for the threads or the processes of one machine: `worker_threads` and `node:cluster` share no memory that a
 * mutex could be in, or should not. The servers run in the main thread; workers reach them over loopback.
 *
 * Use       `npm run build:examples && node dist-examples/examples/workers.js threads`, or `... workers.js processes`
 * Story     four workers add to a number that only the main thread has, by reading it, waiting, and writing it back:
 *           without a lock additions would be lost. One worker is killed while it holds the lock. The others go on, and
 *           at the end the number is what was added.
 * Status    0; 1 if a check fails.
 */
import cluster from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { connect, FairLock } from 'quorate'
import { embedded } from 'quorate/embedded'
import { zookeeper } from 'quorate/zookeeper'

const WORKERS = 4
const ADDITIONS = 10
/** The worker that is killed, after so many additions. */
const UNLUCKY = { worker: 1, additions: 4 }
const SESSION_TIMEOUT_MS = 2_000

/** The task that a worker is given. */
interface Task {
  readonly worker: number
  readonly address: string
}

/** From a worker: it asks for the number, writes it back under its token, holds the lock to be killed, or has done. */
type Message =
  | { readonly type: 'read' | 'holds' | 'done' }
  | { readonly type: 'write'; readonly value: number; readonly token: string }

/** A worker as the main thread sees it: a thread or a process. */
interface Crew {
  readonly send: (value: number) => void
  readonly kill: () => void
}

/** Starts a worker. */
type Start = (task: Task, onMessage: (message: Message) => void, onEnd: () => void) => Crew

const startThread: Start = (task, onMessage, onEnd) => {
  const thread = new Worker(fileURLToPath(import.meta.url), { workerData: task })
  thread.on('message', onMessage)
  thread.once('exit', onEnd)
  return { send: (value) => thread.postMessage(value), kill: () => void thread.terminate() }
}

const startProcess: Start = (task, onMessage, onEnd) => {
  const child = cluster.fork({ QUORATE_EXAMPLE_TASK: JSON.stringify(task) })
  child.on('message', onMessage)
  child.once('exit', onEnd)
  return { send: (value) => void child.send(value), kill: () => void child.process.kill('SIGKILL') }
}

/** The work of a worker: additions, each under the lock. */
async function work(
  { worker, address }: Task,
  ask: (message: Message) => Promise<number>,
  tell: (message: Message) => void,
): Promise<void> {
  await using client = await connect(zookeeper(address), { sessionTimeoutMs: SESSION_TIMEOUT_MS })
  const lock = new FairLock(client, '/locks/number')
  for (let addition = 0; addition < ADDITIONS; addition++) {
    await lock.using(async ({ token, signal }) => {
      if (worker === UNLUCKY.worker && addition === UNLUCKY.additions) {
        tell({ type: 'holds' })
        await delay(60_000, undefined, { signal })
      }
      const value = await ask({ type: 'read' })
      await delay(1)
      await ask({ type: 'write', value: value + 1, token: String(token) })
    })
  }
  tell({ type: 'done' })
}

/** The main thread: the servers, the number, and the workers. */
async function main(start: Start): Promise<Readonly<Record<string, boolean>>> {
  await using ensemble = embedded({ servers: 3, clientPorts: [0, 0, 0] })
  await ensemble.start()
  const address = ensemble.clientPorts.map((port) => `127.0.0.1:${port}`).join()
  let number = 0
  const tokens: bigint[] = []
  const done = new Set<number>()
  const crews = Array.from({ length: WORKERS }, (_, worker) => new Promise<void>((resolve) => {
    const crew: Crew = start({ worker, address }, (message) => {
      if (message.type === 'holds') crew.kill()
      else if (message.type === 'done') done.add(worker)
      else {
        if (message.type === 'write') {
          number = message.value
          tokens.push(BigInt(message.token))
        }
        crew.send(number)
      }
    }, resolve)
  }))
  await Promise.all(crews)
  const expected = (WORKERS - 1) * ADDITIONS + UNLUCKY.additions
  return {
    [`no addition is lost: ${number}`]: number === expected,
    'each holder has a greater token': tokens.every((token, index) => token > (tokens[index - 1] ?? 0n)),
    'all but the one that was killed came to their end': done.size === WORKERS - 1 && !done.has(UNLUCKY.worker),
  }
}

/** Asks and tells through a channel to the main thread; it has one question open at a time. */
async function workOver(task: Task, port: {
  readonly once: (onAnswer: (value: number) => void) => void
  readonly send: (message: Message) => void
}): Promise<void> {
  const ask = (message: Message): Promise<number> => new Promise((resolve) => {
    port.once(resolve)
    port.send(message)
  })
  await work(task, ask, (message) => port.send(message))
}

const { QUORATE_EXAMPLE_TASK: processTask } = process.env
if (!isMainThread && parentPort !== null) {
  const port = parentPort
  await workOver(workerData as Task, {
    once: (onAnswer) => void port.once('message', onAnswer),
    send: (message) => port.postMessage(message),
  })
  port.close()
} else if (processTask !== undefined) {
  await workOver(JSON.parse(processTask) as Task, {
    once: (onAnswer) => void process.once('message', onAnswer),
    send: (message) => void process.send?.(message),
  })
  process.disconnect()
} else {
  const [, , kind] = process.argv
  const start = kind === 'threads' ? startThread : kind === 'processes' ? startProcess : null
  if (start === null) {
    console.error('usage: node dist-examples/examples/workers.js threads | processes')
    process.exitCode = 2
  } else {
    const checks = await main(start)
    for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? 'ok  ' : 'FAIL'} ${check}`)
    process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1
  }
}
