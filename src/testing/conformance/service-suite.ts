/**
 * The conformance suite of service discovery: instances in Curator's layout, and everyone who watches comes to the same
 * list.
 *
 * Use       serviceSuite({ describe, it }, { name: 'mine', connect, makeRegistry: ..., makeWatcher: ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** An instance as others see it. */
export interface TestedInstance {
  /** Its name in its service. */
  readonly id: string
  /** Its host. */
  readonly address: string | null
  /** Where it listens. */
  readonly port: number | null
  /** Its payload. */
  readonly payload: unknown
  /** Whether it is to be called. */
  readonly enabled: boolean
}

/** An instance's own handle. */
export interface TestedRegistration {
  /** `registered` while it is there. */
  readonly state: string
  /** Says something else of itself. */
  update(details: { readonly port?: number; readonly enabled?: boolean }): Promise<void>
  /** Ends the registration. Idempotent. */
  unregister(): Promise<void>
}

/** Where instances are registered. */
export interface TestedRegistry {
  /** Registers an instance; rejects with `NODE_EXISTS` if another has the id. */
  register(
    name: string,
    options: { readonly id?: string; readonly address?: string; readonly port?: number; readonly payload?: unknown },
  ): Promise<TestedRegistration>
  /** The names of the services, sorted. */
  names(): Promise<readonly string[]>
}

/** A change, as a subscriber gets it. */
export interface TestedServiceChange {
  /** All instances. */
  readonly instances: readonly TestedInstance[]
  /** Those that were not there before. */
  readonly added: readonly TestedInstance[]
  /** Those that are not there any more. */
  readonly removed: readonly TestedInstance[]
  /** Those that say something else of themselves. */
  readonly updated: readonly TestedInstance[]
}

/** The instances of one service, at hand. */
export interface TestedServiceWatcher {
  /** Sorted by their nodes' names. */
  readonly instances: readonly TestedInstance[]
  /** Resolves when they were read once. */
  ready(): Promise<void>
  /** Listens; the present instances come first, as added. */
  subscribe(listener: (change: TestedServiceChange) => void): () => void
}

/** The subject and options of {@link serviceSuite}. */
export interface ServiceSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the registry at a path; nothing may be there yet. */
  readonly makeRegistry: (client: Client, path: string) => TestedRegistry
  /** Watches a service of the registry at a path. */
  readonly makeWatcher: (client: Client, path: string, name: string) => TestedServiceWatcher
}

interface ServiceWorld {
  readonly world: RecipeWorld
  /** Connects a client, with its side of the registry and a watcher of the service `api`. */
  readonly open: () => Promise<Opened>
}

interface Opened {
  readonly client: Client
  readonly registry: TestedRegistry
  readonly watcher: TestedServiceWatcher
}

const CASES: readonly Case<ServiceWorld>[] = [
  {
    name: "an instance is stored in Curator's layout, to the byte",
    run: async ({ world, open }) => {
      const { client, registry } = await open()
      await registry.register('api', { id: 'id-1', address: '10.0.0.1', port: 1234 })
      const { data } = await client.get(world.path('services/api/id-1'))
      const text = new TextDecoder().decode(data).replace(/"registrationTimeUTC":\d+/, '"registrationTimeUTC":0')
      const expected = '{"name":"api","id":"id-1","address":"10.0.0.1","port":1234,"sslPort":null,"payload":null,'
        + '"registrationTimeUTC":0,"serviceType":"DYNAMIC","uriSpec":null}'
      equal(text, expected, 'what is stored')
      equal(await world.ephemerals(client), [world.path('services/api/id-1')], 'ephemeral nodes')
    },
  },
  {
    name: 'a service that nobody registered has no instances',
    run: async ({ open }) => {
      const { registry, watcher } = await open()
      await watcher.ready()
      equal([watcher.instances, await registry.names()], [[], []], 'instances and services')
    },
  },
  {
    name: 'an instance is seen by everyone who watches, with what it says of itself, until it unregisters',
    run: async ({ world, open }) => {
      const [a, b] = [await open(), await open()]
      const registration = await a.registry.register('api', { id: 'one', port: 80, payload: { zone: 'north' } })
      await a.registry.register('db', { id: 'other' })
      await world.eventually(() => b.watcher.instances.length === 1, 'it is seen')
      const [seen] = b.watcher.instances
      const payload = { '@class': 'java.util.LinkedHashMap', zone: 'north' }
      equal([seen?.id, seen?.port, seen?.payload, seen?.enabled], ['one', 80, payload, true], 'instance')
      equal(await b.registry.names(), ['api', 'db'], 'services')
      await Promise.all([registration.unregister(), registration.unregister()])
      equal(registration.state, 'withdrawn', 'state')
      await world.eventually(() => b.watcher.instances.length === 0, 'its end is seen')
    },
  },
  {
    name: 'an update is told as one, and not as an end and a beginning',
    run: async ({ world, open }) => {
      const [a, b] = [await open(), await open()]
      const told: string[] = []
      b.watcher.subscribe(({ added, removed, updated }) => {
        for (const [sign, all] of [['+', added], ['-', removed], ['~', updated]] as const) {
          told.push(...all.map(({ port, enabled }) => `${sign}${port} ${enabled}`))
        }
      })
      const registration = await a.registry.register('api', { id: 'one', port: 80 })
      await world.eventually(() => told.length === 1, 'it is told')
      await registration.update({ port: 81, enabled: false })
      await world.eventually(() => told.length === 2, 'the update is told')
      equal(told, ['+80 true', '~81 false'], 'what was told')
    },
  },
  {
    name: 'an id that is taken is refused and its instance left alone; it is free when that has gone',
    run: async ({ world, open }) => {
      const [a, b] = [await open(), await open()]
      const first = await a.registry.register('api', { id: 'one', port: 1 })
      await rejects(b.registry.register('api', { id: 'one', port: 2 }), { code: 'NODE_EXISTS' }, 'of another process')
      await rejects(a.registry.register('api', { id: 'one', port: 2 }), { code: 'NODE_EXISTS' }, 'of the same process')
      await world.eventually(() => b.watcher.instances[0]?.port === 1, 'the first one is seen')
      await first.unregister()
      await b.registry.register('api', { id: 'one', port: 2 })
      await world.eventually(() => a.watcher.instances[0]?.port === 2, 'the second one is seen')
    },
  },
  {
    name: 'what cannot be read is left out, and the others are seen',
    run: async ({ world, open }) => {
      const { client, registry, watcher } = await open()
      await registry.register('api', { id: 'one' })
      const stored = ['', 'no JSON', '[]', '{"payload":[1]}', '{"serviceType":"SOMETIMES"}', '{"port":"http"}']
      for (const [index, data] of stored.entries()) await client.create(world.path(`services/api/bad-${index}`), data)
      await client.create(world.path('services/api/old'), '{"port":"80","serviceType":null,"more":1}')
      await world.eventually(() => watcher.instances.length === 2, 'those that can be read are seen')
      equal(watcher.instances.map(({ id, port }) => [id, port]), [['', 80], ['one', null]], 'instances')
    },
  },
  {
    name: 'an instance that lost its session registers again by itself, with the latest details',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const [a, b] = [await open(), await open()]
      const registration = await a.registry.register('api', { id: 'one', port: 80 })
      await registration.update({ port: 81 })
      await world.expire(a.client)
      await world.eventually(async () => {
        const path = world.path('services/api/one')
        return (await b.client.exists(path))?.ephemeralOwner === a.client.sessionId
      }, 'it is registered on the next session')
      await world.eventually(() => b.watcher.instances[0]?.port === 81, 'it is seen with the latest details')
      await world.eventually(() => a.watcher.instances[0]?.port === 81, 'its own client sees it')
    },
  },
  {
    name: 'the close of a client ends its registrations',
    run: async ({ world, open }) => {
      const [a, b] = [await open(), await open()]
      await a.registry.register('api', { id: 'one' })
      await world.eventually(() => b.watcher.instances.length === 1, 'it is seen')
      await world.answer(a.client.close(), 'close')
      await world.eventually(() => b.watcher.instances.length === 0, 'its end is seen')
    },
  },
]

/**
 * Registers the cases that every registry of services has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the registry to test
 */
export function serviceSuite(runner: Runner, options: ServiceSuiteOptions): void {
  registerRecipe(runner, `service discovery ${options.name}`, options, CASES, (world) => {
    const open: ServiceWorld['open'] = async () => {
      const client = await world.connect()
      const registry = options.makeRegistry(client, world.path('services'))
      return { client, registry, watcher: options.makeWatcher(client, world.path('services'), 'api') }
    }
    return { world, open }
  })
}
