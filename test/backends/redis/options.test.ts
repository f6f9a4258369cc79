import { describe, expect, it } from 'vitest'
import { settingsOf } from '../../../src/backends/redis/options.ts'
import type { RedisBackendOptions } from '../../../src/backends/redis/options.ts'

const URL = 'redis://127.0.0.1'

describe('the options of redis()', () => {
  it('have defaults, which an option that is undefined leaves as they are', () => {
    const defaults = { namespace: 'quorate', sessionTimeoutMs: 10_000, tickMs: 1_000, connectTimeoutMs: 5_000 }
    expect(settingsOf(URL, {})).toEqual({ ...defaults, clock: 'server', target: URL })
    const given: Record<string, unknown> = { tickMs: undefined }
    expect(settingsOf(URL, given as RedisBackendOptions).tickMs).toBe(1_000)
  })

  it('take a URL of either scheme, options of ioredis and a function', () => {
    const targets = [URL, 'rediss://user:password@host:1/2', { host: 'h' }, () => ({}) as never]
    for (const target of targets) expect(settingsOf(target, {}).target).toBe(target)
  })

  it.each([
    ['an unknown option', { nameSpace: 'x' }],
    ['a namespace with a brace', { namespace: 'a}b' }],
    ['an empty namespace', { namespace: '' }],
    ['a namespace that is no text', { namespace: 7 }],
    ['a time that is no number', { tickMs: '5' }],
    ['another clock', { clock: 'wall' }],
  ])('refuse %s with TypeError', (_, options) => {
    expect(() => settingsOf(URL, options as RedisBackendOptions)).toThrow(TypeError)
  })

  it.each([
    ['sessionTimeoutMs', 99],
    ['sessionTimeoutMs', 3_600_001],
    ['tickMs', 9],
    ['tickMs', 60_001],
    ['connectTimeoutMs', 0],
    ['connectTimeoutMs', 1.5],
    ['connectTimeoutMs', NaN],
  ])('refuse %s of %d with RangeError', (name, value) => {
    expect(() => settingsOf(URL, { [name]: value })).toThrow(RangeError)
  })

  it('refuse another target, and do not tell what is in it', () => {
    for (const target of ['http://u:swordfish@h', 'redis://u:swordfish@[', 'swordfish', undefined, null, 6379]) {
      expect(() => settingsOf(target as string, {})).toThrow(TypeError)
      expect(() => settingsOf(target as string, {})).not.toThrow(/swordfish/)
    }
  })
})
