/** Health, for `@nestjs/terminus`. */
import { Inject, Injectable } from '@nestjs/common'
import type { Client } from '../../core/client.ts'
import { QUORATE_CLIENT } from './options.ts'

/** A result as `HealthCheckService` of `@nestjs/terminus` 11 and later takes it. */
export type QuorateHealth<K extends string> = Readonly<Record<K, {
  readonly status: 'up' | 'down'
  /** The client's state: `connected`, `suspended`, `expired` or `closed`. */
  readonly state: string
}>>

/** Says whether the application's client has a session that a server answers for. */
export class QuorateHealthIndicator {
  readonly #client: Client

  /** Made by Nest. */
  constructor(client: Client) {
    this.#client = client
  }

  /**
   * Looks at the client's state; nothing is sent.
   *
   * @param key - the name of this part in the result
   * @returns `up` while the client is connected
   */
  isHealthy<K extends string = 'quorate'>(key: K = 'quorate' as K): QuorateHealth<K> {
    const state = this.#client.state.status
    return { [key]: { status: state === 'connected' ? 'up' : 'down', state } } as QuorateHealth<K>
  }
}

Injectable()(QuorateHealthIndicator)
Inject(QUORATE_CLIENT)(QuorateHealthIndicator, undefined, 0)
