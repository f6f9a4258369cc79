/** Single operations on 100-byte values, by one client of a server that leads and of one that follows. */
import { connect } from 'quorate'
import type { Client } from 'quorate'
import { embedded } from 'quorate/embedded'
import { measureRate } from './measure.ts'
import type { Effort, Figure, Task } from './measure.ts'

const VALUE_BYTES = 100
const NODES = 256
const DELETES_PER_MULTI = 500
/** One in ten operations of the mix is a write. */
const MIX_WRITE_EVERY = 10
const IN_FLIGHT = [1, 16, 256]
const IN_FLIGHT_MAX = 256

/** Measures create, set, get and their mix with 1, 16 and 256 in flight; the two writes also through a follower. */
export async function* measureOperations(effort: Effort): AsyncGenerator<Figure> {
  await using ensemble = embedded({ servers: 3 })
  await ensemble.start()
  const leader = ensemble.leader ?? 1
  await using client = await connect(ensemble.at(leader))
  const nodes = await Nodes.make(client, '/leader')
  for (const inFlight of IN_FLIGHT) {
    yield* nodes.measureWrites(effort, inFlight, '')
    yield withTarget(await measureRate('get', nodes.get, { effort, inFlight }), 100_000)
    yield await measureRate('90/10 mix', nodes.mix, { effort, inFlight })
  }
  await using remote = await connect(ensemble.at((leader % 3) + 1))
  const remoteNodes = await Nodes.make(remote, '/follower')
  yield* remoteNodes.measureWrites(effort, IN_FLIGHT_MAX, ' through a follower')
}

/** The nodes that one client works on. */
class Nodes {
  readonly #client: Client
  readonly #root: string
  readonly #value = new Uint8Array(VALUE_BYTES).fill(0x71)
  #created: string[] = []
  #names = 0
  #turn = 0

  private constructor(client: Client, root: string) {
    this.#client = client
    this.#root = root
  }

  static async make(client: Client, root: string): Promise<Nodes> {
    const nodes = new Nodes(client, root)
    await client.makePath(`${root}/created`, { mode: 'persistent' })
    for (let i = 0; i < NODES; i++) await client.create(nodes.#path(i), nodes.#value)
    return nodes
  }

  async *measureWrites(effort: Effort, inFlight: number, suffix: string): AsyncGenerator<Figure> {
    const beforeRound = (): Promise<void> => this.deleteCreated()
    yield withTarget(await measureRate(`create${suffix}`, this.create, { effort, inFlight, beforeRound }), 30_000)
    await beforeRound()
    yield withTarget(await measureRate(`set${suffix}`, this.set, { effort, inFlight }), 30_000)
  }

  readonly create: Task = () => {
    this.#names += 1
    const path = `${this.#root}/created/${this.#names}`
    this.#created.push(path)
    return this.#client.create(path, this.#value)
  }

  readonly set: Task = (lane) => this.#client.set(this.#path(lane), this.#value)

  readonly get: Task = (lane) => this.#client.get(this.#path(lane))

  readonly mix: Task = (lane) => {
    this.#turn += 1
    return this.#turn % MIX_WRITE_EVERY === 0 ? this.set(lane) : this.get(lane)
  }

  /** Keeps the tree small: what is measured is a create, not the snapshot of a million nodes. */
  async deleteCreated(): Promise<void> {
    const paths = this.#created
    this.#created = []
    for (let i = 0; i < paths.length; i += DELETES_PER_MULTI) {
      const some = paths.slice(i, i + DELETES_PER_MULTI)
      await this.#client.multi(some.map((path) => ({ type: 'delete', path, version: -1 })))
    }
  }

  #path(lane: number): string {
    return `${this.#root}/${lane}`
  }
}

function withTarget(figure: Figure, opsPerSecond: number): Figure {
  return figure.size === IN_FLIGHT_MAX ? { ...figure, target: `>= ${opsPerSecond.toLocaleString('en')}` } : figure
}
