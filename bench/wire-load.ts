/** The load of one session on one engine, and the engine's cost per request. */
import { OpCode } from '../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../src/backends/wire/records.ts'
import type { RequestBodies } from '../src/backends/wire/records.ts'
import { measureRate } from './measure.ts'
import type { Effort, Figure, Task } from './measure.ts'
import { WireClient } from './wire-client.ts'
import { processorUs } from './wire-engines.ts'
import type { RunningEngine } from './wire-engines.ts'

/** The node that everybody reads and writes. */
export const BENCH_PATH = '/bench'

const DATA = new Uint8Array(100).fill(7)
const PERCENT_OF_READS = 90
const DELETES_AT_ONCE = 500

/** The operations that are measured. */
export type LoadName = 'get' | 'set' | 'create' | '90/10'

/** One session that keeps an engine busy. */
export class Load {
  readonly #engine: RunningEngine
  readonly #client: WireClient
  readonly #tasks: Readonly<Record<LoadName, Task>>
  #asked = 0
  #created = 0
  #deleted = 0

  private constructor(engine: RunningEngine, client: WireClient) {
    this.#engine = engine
    this.#client = client
    const get = (): Promise<unknown> => this.#ask(OpCode.getData, { path: BENCH_PATH, watch: false })
    const set = (): Promise<unknown> => this.#ask(OpCode.setData, { path: BENCH_PATH, data: DATA, version: -1 })
    let turn = 0
    this.#tasks = {
      get,
      set,
      create: () => {
        this.#created += 1
        const path = `${BENCH_PATH}/${this.#created}`
        return this.#ask(OpCode.create, { path, data: DATA, acl: OPEN_ACL, flags: 0 })
      },
      '90/10': () => {
        turn = (turn + 10) % 100
        return turn < PERCENT_OF_READS ? get() : set()
      },
    }
  }

  /** Opens a session, and makes the node. */
  static async open(engine: RunningEngine): Promise<Load> {
    const client = await WireClient.open(engine.port)
    await client.ask(OpCode.create, { path: BENCH_PATH, data: DATA, acl: OPEN_ACL, flags: 0 })
    return new Load(engine, client)
  }

  /** Does everything for so long, so that what compiles hot code has compiled it. */
  async warmUp(effort: Effort): Promise<void> {
    const once: Effort = { ...effort, roundMs: 1, rounds: 1 }
    for (const task of Object.values(this.#tasks)) await measureRate('', task, { effort: once, inFlight: 256 })
    await this.clear()
  }

  /** Measures one operation; `cpuUs` is what a request of the figure, clearing up included, cost the servers. */
  async measure(name: LoadName, figure: string, effort: Effort, inFlight: number): Promise<Figure> {
    const { pids } = this.#engine
    const [asked, usedUs] = [this.#asked, processorUs(pids)]
    const rate = await measureRate(figure, this.#tasks[name], { effort, inFlight, beforeRound: () => this.clear() })
    return { ...rate, cpuUs: (processorUs(pids) - usedUs) / (this.#asked - asked) }
  }

  /** Deletes what was created. */
  async clear(): Promise<void> {
    const deletes: Promise<unknown>[] = []
    while (this.#deleted < this.#created) {
      this.#deleted += 1
      deletes.push(this.#ask(OpCode.delete, { path: `${BENCH_PATH}/${this.#deleted}`, version: -1 }))
      if (deletes.length === DELETES_AT_ONCE) await Promise.all(deletes.splice(0))
    }
    await Promise.all(deletes)
  }

  /** Ends the session. */
  close(): Promise<void> {
    return this.#client.close()
  }

  #ask<O extends keyof RequestBodies>(op: O, body: RequestBodies[O]): Promise<unknown> {
    this.#asked += 1
    return this.#client.ask(op, body)
  }
}
