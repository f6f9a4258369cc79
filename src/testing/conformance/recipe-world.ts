/**
 * The world of a recipe's case: clients that are closed after it, and a node of its own to work under.
 */
import { isCoordinationError } from '../../core/errors.ts'
import type { Client } from '../../core/client.ts'
import { PATIENCE_MS, register } from './case.ts'
import type { BackendControl, Case, Runner } from './case.ts'
import { eventually, ok, within } from './expect.ts'

/** Options of every recipe suite. */
export interface RecipeSuiteOptions {
  /** Stands in the title. */
  readonly name: string
  /** Connects a client of its own to the engine; every case closes those that it opened. */
  readonly connect: () => Promise<Client>
  /** A hand on the engine. Cases that need what it lacks are registered as skips, with the reason in their names. */
  readonly control?: BackendControl
  /** How long a case waits for what has to happen, in milliseconds; 5,000 by default. */
  readonly patienceMs?: number
}

const CASE_PATIENCES = 4

/** Clients, and a node that only this case knows. */
export class RecipeWorld {
  /** A persistent node that only this case knows. */
  readonly base: string
  readonly control: BackendControl
  /** How long it waits for what has to happen, in milliseconds. */
  readonly patienceMs: number
  readonly #connect: () => Promise<Client>
  readonly #clients: Client[] = []

  private constructor({ connect, control = {}, patienceMs = PATIENCE_MS }: RecipeSuiteOptions) {
    this.base = `/conformance-${crypto.randomUUID()}`
    this.control = control
    this.patienceMs = patienceMs
    this.#connect = connect
  }

  /** Runs a case in a world of its own, and closes the clients that it opened. */
  static async run(options: RecipeSuiteOptions, body: (world: RecipeWorld) => Promise<void>): Promise<void> {
    const world = new RecipeWorld(options)
    try {
      await (await world.connect()).create(world.base)
      await within(body(world), 'this case', CASE_PATIENCES * world.patienceMs)
    } finally {
      await within(Promise.all(world.#clients.map((client) => client.close())), 'closing all clients', world.patienceMs)
    }
  }

  /** Connects a client. */
  async connect(): Promise<Client> {
    const client = await within(this.#connect(), 'connect', this.patienceMs)
    this.#clients.push(client)
    return client
  }

  /** Connects several clients. */
  connectMany(count: number): Promise<Client[]> {
    return Promise.all(Array.from({ length: count }, () => this.connect()))
  }

  /** Makes a path under the node of this case. */
  path(name: string): string {
    return `${this.base}/${name}`
  }

  /** Waits until a condition holds. */
  eventually(condition: () => boolean | Promise<boolean>, promise: string): Promise<void> {
    return eventually(condition, promise, this.patienceMs)
  }

  /** Waits for a call that has to be answered. */
  answer<T>(call: Promise<T>, what: string): Promise<T> {
    return within(call, what, this.patienceMs)
  }

  /** Makes the servers end the session of a client, and waits until the client noticed. */
  async expire(client: Client): Promise<void> {
    const { sessionId } = client
    ok(sessionId !== null, 'the client has a session to lose')
    await this.control.expire?.(sessionId)
    await this.eventually(() => client.sessionId !== sessionId, 'the client notices that its session is over')
  }

  /** Breaks the connection of a client, and waits until it noticed. */
  async disconnect(client: Client): Promise<void> {
    const { sessionId } = client
    ok(sessionId !== null, 'the client has a connection to lose')
    const log: string[] = []
    const stop = client.onState(({ status }) => void log.push(status))
    await this.control.disconnect?.(sessionId)
    await this.eventually(() => log.includes('suspended'), 'the client notices that its connection is broken')
    stop()
  }

  /** Lets a client find a server again, and waits until it has. */
  async reconnect(client: Client): Promise<void> {
    if (client.sessionId !== null) await this.control.reconnect?.(client.sessionId)
    await this.eventually(() => client.state.status === 'connected', 'the client is connected again')
  }

  /** Breaks the connection of a client for a moment. */
  async interrupt(client: Client): Promise<void> {
    await this.disconnect(client)
    await this.reconnect(client)
  }

  /** Paths of the ephemeral nodes under the node of this case, sorted. */
  async ephemerals(client: Client): Promise<string[]> {
    await client.sync(this.base)
    return ephemeralsUnder(client, this.base)
  }

  /**
   * Prepares to delete the ephemeral nodes that there are now, as an operator would.
   *
   * @returns sends the deletions. Another node that has come to the path of one by then is left alone: whoever had the
   * first may have removed it itself.
   */
  async deletionOfEphemerals(operator: Client): Promise<() => Promise<void>> {
    const paths = await this.ephemerals(operator)
    const stats = await Promise.all(paths.map((path) => operator.exists(path)))
    return async () => {
      const deletions = stats.map((stat, index) => deleteThis(operator, paths[index] ?? '', stat?.czxid))
      await Promise.allSettled(deletions)
    }
  }
}

/** Never another node that has come to its path since. */
function deleteThis(operator: Client, path: string, czxid: bigint | undefined): Promise<unknown> {
  if (czxid === undefined) return operator.delete(path)
  return operator.transaction().check(path, -1, { czxid }).delete(path).commit()
}

/** Registers the cases of a recipe with a runner. */
export function registerRecipe<W>(
  runner: Runner,
  title: string,
  options: RecipeSuiteOptions,
  cases: readonly Case<W>[],
  worldOf: (world: RecipeWorld) => W,
): void {
  const run = (body: (world: W) => Promise<void>): Promise<void> => {
    return RecipeWorld.run(options, (world) => body(worldOf(world)))
  }
  register(runner, title, cases, (ability) => options.control?.[ability] !== undefined, run)
}

async function ephemeralsUnder(client: Client, path: string): Promise<string[]> {
  const names = await namesUnder(client, path)
  const nested = await Promise.all(
    names.map(async (name) => {
      const child = `${path}/${name}`
      const stat = await client.exists(child)
      if (stat === null) return []
      return stat.ephemeralOwner === 0n ? ephemeralsUnder(client, child) : [child]
    }),
  )
  return nested.flat()
}

/** A container that the servers have just removed holds nothing. */
async function namesUnder(client: Client, path: string): Promise<readonly string[]> {
  try {
    return (await client.children(path)).names
  } catch (error) {
    if (isCoordinationError(error, 'NO_NODE')) return []
    throw error
  }
}
