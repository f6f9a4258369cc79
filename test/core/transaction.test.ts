/** Transactions part by part: types of results, what is refused and where, and that all or nothing happens. */
import { expect, expectTypeOf, it } from 'vitest'
import type { OperationResult, Stat } from '../../src/core/backend.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import { closeAll, failureOf, newRig, run, useVirtualTime } from '../recipes/rig.ts'

useVirtualTime()

it('gives a result per part, with its type, and does all at one zxid', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.create('/a', 'old'))
  await run(client.create('/gone'))
  const transaction = client.transaction()
    .create('/n-', 'first', { mode: 'persistent-sequential' })
    .set('/a', 'new', 0)
    .delete('/gone')
    .check('/a', 1)
  const results = await run(transaction.commit())
  expectTypeOf(results).toEqualTypeOf<[
    { readonly type: 'create'; readonly path: string; readonly stat: Stat },
    { readonly type: 'set'; readonly stat: Stat },
    { readonly type: 'delete' },
    { readonly type: 'check' },
  ]>()
  expectTypeOf<Awaited<ReturnType<typeof client.multi>>>().toEqualTypeOf<OperationResult[]>()
  const [made, written] = results
  expect(made.path).toMatch(/^\/n-\d{10}$/)
  expect([written.stat.version, made.stat.czxid]).toEqual([1, written.stat.mzxid])
  expect(await run(client.exists('/gone'))).toBeNull()
  expect(await closeAll(rig, client)).toEqual([])
})

it('takes the data as they are when the part is added', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const data = new Uint8Array([1])
  const transaction = client.transaction().create('/a', data)
  data[0] = 2
  await run(transaction.commit())
  expect([...(await run(client.get('/a'))).data]).toEqual([1])
  expect(await closeAll(rig, client)).toEqual([])
})

it('names the part that was refused, and has done nothing', async () => {
  const rig = newRig()
  const client = await rig.connect()
  await run(client.create('/a'))
  const { czxid } = (await run(client.get('/a'))).stat
  const cases = [
    [client.transaction().create('/b').set('/a', 'x', 7), 1, '/a', 'BAD_VERSION'],
    [client.transaction().create('/b').check('/a').create('/a'), 2, '/a', 'NODE_EXISTS'],
    [client.transaction().delete('/missing').create('/b'), 0, '/missing', 'NO_NODE'],
    [client.transaction().create('/b').check('/a', 0, { czxid: czxid + 1n }), 1, '/a', 'BAD_VERSION'],
  ] as const
  for (const [transaction, index, path, code] of cases) {
    const error = await failureOf(transaction.commit())
    if (!isCoordinationError(error)) throw error
    expect([error.code, error.outcome, error.index, error.path]).toEqual([code, 'rejected', index, path])
    expect(error.message).toContain(path)
  }
  expect(await run(client.exists('/b'))).toBeNull()
  expect(await closeAll(rig, client)).toEqual([])
})

it('refuses a wrong part where it is added, an empty transaction, and a builder that is spent', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const one = client.transaction().create('/a')
  expect(() => one.set('b', 'x')).toThrow(/part 1 of the transaction, set: .*"?b"?/)
  expect(() => one.set('/b', 'x', 1.5)).toThrow(RangeError)
  expect(() => void Reflect.apply(one.check, one, ['/b', 0, { version: 1 }])).toThrow(/"version"/)
  expect(() => void Reflect.apply(one.create, one, ['/b', '', { signal: null }])).toThrow(/"signal"/)
  expect(String(await failureOf(client.transaction().commit()))).toMatch(/TypeError: .* without parts/)
  const two = one.create('/b')
  expect(() => one.create('/c')).toThrow(/is spent/)
  expect(String(await failureOf(one.commit()))).toMatch(/TypeError: .* is spent/)
  expect(await run(two.commit())).toHaveLength(2)
  expect(String(await failureOf(two.commit()))).toMatch(/TypeError: .* is spent/)
  expect(await run(client.exists('/c'))).toBeNull()
  expect(await closeAll(rig, client)).toEqual([])
})

it('is not sent when its signal has ended, or the client', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const ended = client.transaction().create('/a').commit({ signal: AbortSignal.abort() })
  expect(isCoordinationError(await failureOf(ended), 'ABORTED')).toBe(true)
  const transaction = client.transaction().create('/a')
  await run(client.close())
  const error = await failureOf(transaction.commit())
  expect(isCoordinationError(error, 'CLIENT_CLOSED')).toBe(true)
  expect(rig.control.nodes().map(({ path }) => path)).toEqual(['/'])
})
