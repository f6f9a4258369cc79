import { describe, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import { optionNames, refuseUnknown, requireFunction } from '../../src/core/options.ts'
import { validateBackend } from '../../src/core/validate-client.ts'
import { validateFunction, validateInteger, validateSignal } from '../../src/core/options.ts'
import { validateClient } from '../../src/core/validate-client.ts'
import { validateBoolean, validateText, validateTime, validateWaitMs } from '../../src/core/options.ts'
import { modelBackend } from '../../src/testing/index.ts'

interface Options {
  waitMs?: number
  signal?: AbortSignal
}

const ACQUIRE = optionNames<Options>({ waitMs: true, signal: true })
const CONNECT = new Set(['namespace', 'sessionTimeoutMs', 'connectTimeoutMs', 'operationTimeoutMs', 'onError'])

const refused = (options: unknown, known = ACQUIRE, what = 'acquire'): string => {
  try {
    refuseUnknown(options, known, what)
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
  return 'taken'
}

describe('refuseUnknown', () => {
  it('takes options that are known, none at all, and undefined for none', () => {
    for (const options of [undefined, {}, { waitMs: 1 }, { waitMs: undefined, signal: undefined }]) {
      expect(refused(options)).toBe('taken')
    }
  })

  it.each([
    ['timeoutMs', 'waitMs'],
    ['timeout', 'waitMs'],
    ['timeOut', 'waitMs'],
    ['wait', 'waitMs'],
    ['waitMS', 'waitMs'],
    ['wait_ms', 'waitMs'],
    ['abortSignal', 'signal'],
    ['singal', 'signal'],
  ])('names the option that %s is likely meant to be', (name, likely) => {
    expect(refused({ [name]: 5 })).toBe(`acquire has no option "${name}"; did you mean "${likely}"?`)
  })

  it.each([
    ['timeout', 'connectTimeoutMs'],
    ['sessionTimeout', 'sessionTimeoutMs'],
    ['sesionTimeoutMs', 'sessionTimeoutMs'],
    ['ttl', 'sessionTimeoutMs'],
    ['chroot', 'namespace'],
    ['onerror', 'onError'],
  ])('knows that for connect %s is %s', (name, likely) => {
    const message = `connect has no option "${name}"; did you mean "${likely}"?`
    expect(refused({ [name]: 5 }, CONNECT, 'connect')).toBe(message)
  })

  it('lists what there is for a name that is like none, and never shows a value', () => {
    expect(refused({ password: 'secret' })).toBe('acquire has no option "password"; it takes waitMs, signal')
    expect(refused({ x: 1 }, new Set(), 'sync')).toBe('sync has no option "x"; it has none')
    expect(refused({ ['x'.repeat(1000)]: 1 })).toHaveLength(113)
  })

  it('knows no names that every object has', () => {
    expect(refused(JSON.parse('{ "__proto__": 1, "constructor": 2 }'))).toContain('has no option "__proto__"')
    expect(refused({ constructor: 1 })).toContain('has no option "constructor"; it takes')
  })

  it.each([
    [5000, 'acquire takes an object of options, such as { waitMs: 5000 }, got 5000'],
    ['5s', 'acquire takes an object of options, got "5s"'],
    [null, 'acquire takes an object of options, got null'],
    [[], 'acquire takes an object of options, got an array'],
    [() => undefined, 'acquire takes an object of options, got a function'],
    [new AbortController().signal, 'acquire takes an object of options, such as { signal }, got an AbortSignal'],
    [Symbol('a'), 'acquire takes an object of options, got Symbol(a)'],
  ])('refuses what is no object of options', (options, message) => {
    expect(refused(options)).toBe(message)
  })
})

describe('a check of a value', () => {
  const nothing = Object.create(null) as object

  it.each<[string, () => void, typeof TypeError | typeof RangeError, string | RegExp]>([
    ['signal', () => validateSignal({}), TypeError, 'signal must be an AbortSignal, got an object'],
    ['signal', () => validateSignal(nothing), TypeError, 'signal must be an AbortSignal, got an object'],
    [
      'signal',
      () => validateSignal(new AbortController()),
      TypeError,
      'signal must be an AbortSignal, got an AbortController: give its signal',
    ],
    ['function', () => validateFunction('watch', 1n), TypeError, 'watch must be a function, got 1n'],
    ['listener', () => requireFunction('work', undefined), TypeError, 'work must be a function, got undefined'],
    ['text', () => validateText('id', ''), TypeError, 'id must be a string that is not empty, got ""'],
    ['boolean', () => validateBoolean('tls', 'yes'), TypeError, 'tls must be true or false, got "yes"'],
    ['integer', () => validateInteger('n', '3', 1, 9), TypeError, 'n must be a number, got "3"'],
    ['integer', () => validateInteger('n', 1.5, 1, 9), RangeError, 'n must be a whole number from 1 to 9, got 1.5'],
    ['integer', () => validateInteger('n', 10, 1, 9), RangeError, 'n must be a whole number from 1 to 9, got 10'],
    ['time', () => validateTime('tMs', '3'), TypeError, 'tMs must be a number of milliseconds, got "3"'],
    ['time', () => validateTime('tMs', NaN), RangeError, /^tMs must be more than 0 and .*, got NaN$/],
    ['wait', () => validateWaitMs('waitMs', '3'), TypeError, 'waitMs must be a number of milliseconds, got "3"'],
    ['wait', () => validateWaitMs('waitMs', -1), RangeError, /, 0 or more, got -1$/],
    ['client', () => validateClient(undefined, 'FairLock'), TypeError, /^FairLock needs .* got undefined$/],
    ['client', () => validateClient(Promise.resolve(), 'FairLock'), TypeError, /a Promise: await connect\(\) first$/],
    ['client', () => validateClient(modelBackend(), 'FairLock'), TypeError, /: connect\(\) to the backend first$/],
    ['backend', () => validateBackend(undefined), TypeError, /^connect needs a backend, .* got undefined$/],
    ['backend', () => validateBackend({ open: () => undefined }), TypeError, /, got an object$/],
    ['backend', () => validateBackend(modelBackend), TypeError, /a function: call it first$/],
  ])('of a %s says what was given', (_, check, type, message) => {
    expect(check).toThrow(type)
    expect(check).toThrow(message)
  })

  it('takes what is right', async () => {
    const backend = modelBackend()
    await using client = await connect(backend)
    expect(() => {
      validateSignal(undefined)
      validateSignal(AbortSignal.timeout(1))
      validateFunction('watch', undefined)
      requireFunction('work', () => undefined)
      validateText('id', 'a')
      validateBoolean('tls', false)
      validateInteger('n', 9, 1, 9)
      validateTime('tMs', 0.5)
      validateWaitMs('waitMs', 0)
      validateWaitMs('waitMs', Infinity)
      validateClient(client, 'FairLock')
      validateBackend(backend)
    }).not.toThrow()
  })

  it('never shows the password of a URL, whatever is in it', () => {
    const hidden = /got "redis:\/\/\.\.\.@host\/0": for a URL use connectUrl/
    expect(() => validateBackend('redis://u:p/ss@w@rd@host/0')).toThrow(hidden)
    expect(() => validateBoolean('tls', 'redis://:secret@host')).toThrow(/^(?!.*secret)/)
  })
})
