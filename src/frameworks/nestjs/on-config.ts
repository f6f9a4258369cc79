/**
 * `@OnConfig(path)`: a method that is called with a configuration's value when the application starts, and with each
 * next one.
 */
import { limited } from '../../core/async.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import { validateWaitMs } from '../../core/options.ts'
import { validatePath } from '../../core/path.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import type { ConfigCenterOptions, ConfigChange } from '../../recipes/config/config-center.ts'
import { MethodNotes } from './decorated-methods.ts'
import type { DecoratorFor } from './decorated-methods.ts'

/** Options of {@link OnConfig}: those of a `ConfigCenter`, and one of the application's start. */
export type OnConfigOptions<T, D> = ConfigCenterOptions<T, D> & {
  /**
   * How long, in milliseconds, the application's start waits for the first value, and for the method's first call;
   * 15,000 by default. Then it fails.
   */
  readonly startMs?: number
}

/** A method that is told a configuration's value. */
export type ConfigMethod<T, D> = (change: ConfigChange<T, D>) => Promise<void> | void

/** A configuration that a method wants. */
export interface WantedConfig {
  readonly path: string
  readonly options: OnConfigOptions<unknown, unknown>
}

const START_MS = 15_000

/** The configurations of decorated methods. */
export const configsOf = new MethodNotes<WantedConfig>()

/**
 * Calls the method with a configuration's value, one change at a time. The application's start waits for the first
 * call; what the method throws there ends the start, and later goes to the client's `onError`.
 *
 * @param path - the node that holds the value
 * @param options - as for `ConfigCenter`; and for how long the start waits
 * @throws TypeError if the path is none; TypeError or RangeError for a wrong time
 */
export function OnConfig<T = unknown, D = undefined>(
  path: string,
  options: OnConfigOptions<T, D> = {},
): DecoratorFor<ConfigMethod<T, D>> {
  validatePath(path)
  validateWaitMs('startMs', options.startMs ?? START_MS)
  return (target, name) => {
    configsOf.add(target, name, { path, options: options })
  }
}

/**
 * Subscribes a method.
 *
 * @param client - through which to read
 * @param wanted - the configuration
 * @param call - calls the method
 * @returns the center, once the method has returned for the first time
 * @throws CoordinationError `TIMEOUT` if there was no value to tell, or the method did not return, in time; what it
 * throws
 */
export async function subscribeMethod(
  client: Client,
  { path, options: { startMs = START_MS, ...options } }: WantedConfig,
  call: (change: ConfigChange<unknown, unknown>) => unknown,
): Promise<ConfigCenter<unknown, unknown>> {
  const center = new ConfigCenter<unknown, unknown>(client, path, options)
  const late = (): Error => new CoordinationError(
    'TIMEOUT',
    `@OnConfig of ${path}: after ${startMs} ms there is no valid value, or the method has not returned`,
    { outcome: 'aborted', path },
  )
  const firstCall = async (): Promise<void> => {
    await center.ready()
    await new Promise<void>((resolve, reject) => {
      let isFirst = true
      center.subscribe((change) => {
        const called = (async () => call(change))()
        if (isFirst) called.then(() => resolve(), reject)
        // An error of the first call ends the start, and is not reported as well.
        const told = isFirst ? called.then(undefined, () => undefined) : called
        isFirst = false
        return told.then(() => undefined)
      })
    })
  }
  try {
    await limited(firstCall(), startMs, late)
    return center
  } catch (error) {
    await center.close()
    throw error
  }
}
