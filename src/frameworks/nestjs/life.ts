/** The life of the module within an application: what begins when it has started, and ends when it ends. */
import { Logger } from '@nestjs/common'
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common'
import type { DiscoveryService } from '@nestjs/core'
import { delay } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import type { ConfigCenter } from '../../recipes/config/config-center.ts'
import { closeApplicationClient, drainMsOf } from '../application-client.ts'
import type { CalledMethod } from './decorated-methods.ts'
import { electionsOf } from './leader-only.ts'
import type { Leaderships } from './leader-only.ts'
import { configsOf, subscribeMethod } from './on-config.ts'
import type { QuorateModuleOptions } from './options.ts'

/** Begins and ends what decorators ask for. */
export class QuorateLife implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #client: Client
  readonly #options: QuorateModuleOptions
  readonly #discovery: DiscoveryService
  readonly #leaders: Leaderships
  readonly #logger = new Logger('Quorate')
  readonly #ending = new AbortController()
  readonly #centers: ConfigCenter<unknown, unknown>[] = []
  #elections: Promise<unknown> = Promise.resolve()

  /** Made by Nest. */
  constructor(client: Client, options: QuorateModuleOptions, discovery: DiscoveryService, leaders: Leaderships) {
    this.#client = client
    this.#options = options
    this.#discovery = discovery
    this.#leaders = leaders
  }

  /** Tells methods their configurations, then stands in elections: a leader should know its configuration. */
  async onApplicationBootstrap(): Promise<void> {
    const instances = this.#instances()
    await Promise.all(instances.flatMap((instance) => configsOf.of(instance).map(async ({ name, note }) => {
      const method = (instance as Record<string | symbol, CalledMethod>)[name]
      const center = await subscribeMethod(this.#client, note, (change) => method?.call(instance, change))
      this.#centers.push(center)
    })))
    const paths = new Set(instances.flatMap((instance) => electionsOf.of(instance).map(({ note }) => note)))
    this.#elections = Promise.all([...paths].map((path) => this.#stand(path)))
  }

  /**
   * Resigns, after the methods that run, and tells no more configurations. A method that runs for longer than the end
   * of the application waits, as one that itself ends it, is left to the close of the client: its signal is aborted.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.#ending.abort()
    const over = new AbortController()
    const ended = Promise.all([this.#elections, ...this.#centers.map((center) => center.close())])
    try {
      await Promise.race([ended, delay(drainMsOf(this.#options), over.signal)])
    } finally {
      over.abort()
    }
  }

  /** Closes the client, once the application has answered its last request. */
  async onApplicationShutdown(): Promise<void> {
    await closeApplicationClient(this.#client, this.#options)
  }

  async #stand(path: string): Promise<void> {
    try {
      await this.#leaders.stand(this.#client, path, this.#ending.signal)
    } catch (error) {
      this.#logger.error(`no longer a candidate at ${path}, so @LeaderOnly methods there do nothing`, error)
    }
  }

  /** All that Nest has made once for the application; what it makes for each request has no life of its own. */
  #instances(): object[] {
    const wrappers = [...this.#discovery.getProviders(), ...this.#discovery.getControllers()]
    const made = wrappers.filter((one) => one.isDependencyTreeStatic()).map(({ instance }) => instance as unknown)
    return [...new Set(made)].filter((value) => typeof value === 'object' && value !== null)
  }
}
