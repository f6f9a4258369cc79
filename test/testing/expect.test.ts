import { describe, expect, it } from 'vitest'
import { CoordinationError } from '../../src/core/errors.ts'
import { equal, eventually, ok, rejection, rejects, show, within } from '../../src/testing/conformance/expect.ts'
import { ConformanceError, backendSuite } from '../../src/testing/index.ts'
import type { Subject } from '../../src/testing/index.ts'

const PATIENCE_MS = 20

const refused = (): Promise<never> => {
  return Promise.reject(new CoordinationError('NO_NODE', 'no node', { outcome: 'rejected', index: 2 }))
}

describe('the assertions of the suite', () => {
  it('let pass what is so', async () => {
    ok(true, 'anything')
    equal({ a: 1n, b: [Uint8Array.of(1), null] }, { b: [Uint8Array.of(1), null], a: 1n }, 'values')
    await rejects(refused(), { code: 'NO_NODE', outcome: 'rejected', index: 2 }, 'a call')
    expect(await within(Promise.resolve(1), 'a call', PATIENCE_MS)).toBe(1)
    let looks = 0
    await eventually(() => ++looks === 3, 'it is looked at three times', PATIENCE_MS * 100)
    expect(looks).toBe(3)
  })

  it('say what is not so', async () => {
    expect(() => ok(false, 'water is dry')).toThrow('not so: water is dry')
    expect(() => equal({ a: 1 }, { a: 2 }, 'the value')).toThrow('the value: is { a: 1 }, should be { a: 2 }')
    expect(() => equal(1n, 1, 'the value')).toThrow('is 1n, should be 1')
    expect(() => equal([1], [1, 2], 'the list')).toThrow('is [1], should be [1, 2]')
    await expect(rejects(refused(), { code: 'NODE_EXISTS' }, 'a create')).rejects.toThrow('code of the error of')
    await expect(rejects(refused(), { code: 'NO_NODE', index: 1 }, 'a multi')).rejects.toThrow('is 2, should be 1')
    const other = Promise.reject(new Error('another'))
    await expect(rejects(other, { code: 'NO_NODE' }, 'a get')).rejects.toThrow('another')
    await expect(rejection(Promise.resolve(5), 'a get')).rejects.toThrow('should have been refused, answered 5')
  })

  it('end a wait for what never happens, with the last error of the backend', async () => {
    await expect(eventually(() => false, 'pigs fly', PATIENCE_MS)).rejects.toThrow('pigs fly')
    await expect(eventually(refused, 'a node comes', PATIENCE_MS)).rejects.toThrow('no node')
    await expect(within(new Promise(() => undefined), 'a call', PATIENCE_MS)).rejects.toThrow(ConformanceError)
  })

  it('do not wait on when a promise was found broken', async () => {
    let looks = 0
    const broken = eventually(() => {
      looks += 1
      throw new ConformanceError('broken')
    }, 'it holds', PATIENCE_MS)
    await expect(broken).rejects.toThrow('broken')
    expect(looks).toBe(1)
  })

  it('show values whatever the order of their keys', () => {
    expect(show({ b: Uint8Array.of(1, 2), a: undefined })).toBe('{ a: undefined, b: bytes(1 2) }')
  })
})

describe('a suite whose subject lacks an ability', () => {
  it('registers the cases that need it as skips, with the reason in their names', () => {
    const [run, skipped] = [new Set<string>(), new Set<string>()]
    const it = Object.assign((name: string) => void run.add(name), { skip: (name: string) => void skipped.add(name) })
    const create = (): Promise<Subject> => Promise.reject(new Error('not to be started'))
    backendSuite({ describe: (_, body) => body(), it }, { name: 'bare', create, abilities: ['disconnect'] })
    expect(run.size).toBeGreaterThan(100)
    expect(skipped.size).toBeGreaterThan(5)
    for (const name of skipped) expect(name).toMatch(/ \(skipped: needs control\.(expire|reap|unreachable)\)$/)
  })

  it('fails if its subject does not have what was said', async () => {
    const runs: (() => Promise<void>)[] = []
    const it = Object.assign((_: string, run: () => Promise<void>) => void runs.push(run), { skip: () => undefined })
    const backend = { name: 'bare', capabilities: {} as Subject['backend']['capabilities'], open: refused }
    const create = async (): Promise<Subject> => ({ backend, close: async () => undefined })
    backendSuite({ describe: (_, body) => body(), it }, { name: 'bare', create, abilities: ['expire'] })
    await expect(runs[0]?.()).rejects.toThrow('bare has control.expire')
  })
})
