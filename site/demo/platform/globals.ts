/**
 * The globals of Node.js that an ensemble in memory and its clients use, for a worker of a browser: `Buffer`,
 * `setImmediate`, timers that can be `unref`ed, and warnings. They have to be there before the first module of src/ is
 * loaded.
 */
import { PLATFORM_BUFFER } from './buffer.ts'

type Task = () => void

/** Runs tasks in turns of the event loop of their own, as soon as what is on its way has been handled. */
class Turns {
  readonly #tasks = new Map<number, Task>()
  readonly #port: MessagePort
  #last = 0

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    port2.onmessage = ({ data }: MessageEvent<number>) => {
      const task = this.#tasks.get(data)
      this.#tasks.delete(data)
      task?.()
    }
  }

  next(task: Task): number {
    this.#last += 1
    this.#tasks.set(this.#last, task)
    this.#port.postMessage(this.#last)
    return this.#last
  }

  cancel(id: number | undefined): void {
    if (id !== undefined) this.#tasks.delete(id)
  }
}

/** A timer's number as an object that can be `unref`ed: a page has no process to keep alive. */
function unrefable(id: unknown): object {
  const timer = Object.assign(Object(id) as object, { unref: () => timer, ref: () => timer })
  return timer
}

/** Puts them in place; once. */
export function installGlobals(): void {
  const turns = new Turns()
  const { setTimeout: later, setInterval: often } = globalThis
  Object.assign(globalThis, {
    Buffer: PLATFORM_BUFFER,
    setImmediate: (task: Task) => turns.next(task),
    clearImmediate: (id: number | undefined) => turns.cancel(id),
    setTimeout: (task: Task, ms?: number) => unrefable(later(task, ms)),
    setInterval: (task: Task, ms?: number) => unrefable(often(task, ms)),
    process: { emitWarning: (warning: unknown) => console.warn(warning) },
  })
}
