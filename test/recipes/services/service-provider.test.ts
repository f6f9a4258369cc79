/** Which instance is picked next, and which is down for a while. */
import { expect, it } from 'vitest'
import { ServiceProvider, leastLoaded, random } from '../../../src/recipes/services/service-provider.ts'
import { roundRobin, sticky } from '../../../src/recipes/services/service-provider.ts'
import type { ProviderStrategy } from '../../../src/recipes/services/service-provider.ts'
import type { DiscoveredInstance } from '../../../src/recipes/services/service-watcher.ts'
import { pass, useVirtualTime } from '../rig.ts'

useVirtualTime()

function instance(id: string, more: Partial<DiscoveredInstance> = {}): DiscoveredInstance {
  const where = { address: null, port: null, sslPort: null, payload: null, uriSpec: null }
  const rest = { registrationTimeUTC: 0, serviceType: 'DYNAMIC', enabled: true, incarnation: 1n } as const
  return { name: 'api', id, ...where, ...rest, ...more }
}

const [A, B, C] = [instance('a'), instance('b'), instance('c')]

function picks(strategy: ProviderStrategy, count: number, instances: DiscoveredInstance[] = [A, B, C]): string {
  const provider = new ServiceProvider({ instances }, { strategy })
  return Array.from({ length: count }, () => provider.pick()?.id ?? '-').join('')
}

it('picks one after the other, also while they come and go', () => {
  const instances = [A, B, C]
  const provider = new ServiceProvider({ instances })
  const pick = (): string | undefined => provider.pick()?.id
  expect([pick(), pick(), pick(), pick()]).toEqual(['a', 'b', 'c', 'a'])
  instances.splice(1, 1)
  expect([pick(), pick()]).toEqual(['c', 'a'])
})

it('picks by chance, and all in time', () => {
  expect(new Set(picks(random(), 60)).size).toBe(3)
})

it('stays with one for as long as it is there', () => {
  const instances = [A, B, C]
  const provider = new ServiceProvider({ instances }, { strategy: sticky(roundRobin()) })
  const pick = (): string | undefined => provider.pick()?.id
  expect([pick(), pick(), pick()]).toEqual(['a', 'a', 'a'])
  instances.shift()
  expect([pick(), pick()]).toEqual(['b', 'b'])
  instances.unshift(A)
  expect(pick()).toBe('b')
})

it('picks the one with the least load', () => {
  const loads: Record<string, number> = { a: 2, b: 1, c: 1 }
  const strategy = leastLoaded(({ id }) => loads[id] ?? 0)
  expect(picks(strategy, 2)).toBe('bb')
  loads['b'] = 5
  expect(picks(strategy, 1)).toBe('c')
})

it('picks none that is not enabled, and null if there is none', () => {
  expect(picks(roundRobin(), 3, [A, instance('off', { enabled: false })])).toBe('aaa')
  expect(new ServiceProvider({ instances: [] }).pick()).toBeNull()
})

it('passes over an instance with errors for a time, after which it comes back', async () => {
  const provider = new ServiceProvider({ instances: [A, B] }, { errorsMax: 2, downMs: 1_000 })
  provider.noteError(A)
  expect(provider.available).toEqual([A, B])
  await pass(500)
  provider.noteError(A)
  expect(provider.available).toEqual([B])
  await pass(999)
  expect(provider.available).toEqual([B])
  await pass(1)
  expect(provider.available).toEqual([A, B])
  // Old errors do not count.
  provider.noteError(A)
  expect(provider.available).toEqual([A, B])
})

it('takes an instance that registered again for a new one', () => {
  const instances = [A]
  const provider = new ServiceProvider({ instances }, { errorsMax: 1 })
  provider.noteError(A)
  expect(provider.pick()).toBeNull()
  const again = instance('a', { incarnation: 2n })
  instances[0] = again
  expect(provider.pick()).toBe(again)
  // An error of the one before says nothing of it.
  provider.noteError(again)
  provider.noteError(A)
  expect(provider.pick()).toBeNull()
})

it('refuses wrong options', () => {
  const make = (options: object) => (): ServiceProvider => {
    return new ServiceProvider({ instances: [] }, options)
  }
  expect(make({ strategy: 5 })).toThrow(/strategy must be a function/)
  expect(make({ errorsMax: 0 })).toThrow(/errorsMax/)
  expect(make({ downMs: -1 })).toThrow(/downMs/)
  expect(make({ downms: 1 })).toThrow(/"downMs"/)
})
