/** Names of contenders, in every layout. */
import { describe, expect, it } from 'vitest'
import type { Contender } from '../../../src/recipes/engine/contender.ts'
import { lockNames } from '../../../src/recipes/engine/lock-names.ts'
import { contenderOf, readWriteContenderOf } from '../../../src/recipes/locks/contender-names.ts'
import { readWriteNames, readerNameAt } from '../../../src/recipes/locks/contender-names.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { closeAll, newRig, run, useVirtualTime } from '../rig.ts'

const UUID = '3f2c8f6e-9a51-4e7e-8a52-0c2f3a1b9d10'
const HEX = UUID.replaceAll('-', '')
const PATH = '/locks/shared'

describe('a name', () => {
  it('of Curator, of kazoo, and of a kazoo that uses the word of Curator is a contender', () => {
    for (const prefix of [`_c_${UUID}-lock-`, `${HEX}__lock__`, `${HEX}-lock-`]) {
      const name = `${prefix}0000000042`
      expect(contenderOf(name)).toEqual({ name, kind: 'lock', sequence: 42 })
    }
  })

  it('has its number read across the wrap, whatever stands before it', () => {
    for (const prefix of [`_c_${UUID}-lock-`, `${HEX}__lock__`]) {
      const numbers = ['2147483647', '-2147483648', '-1000000000', '-999999999', '-000000001', '0000000000']
      const read = numbers.map((number) => contenderOf(prefix + number)?.sequence)
      expect(read).toEqual([2_147_483_647, -2_147_483_648, -1_000_000_000, -999_999_999, -1, 0])
    }
  })

  it('of any other form is none', () => {
    const others = [
      'config',
      '0000000001',
      'lock-0000000001',
      `_c_${UUID}-lock-`,
      `_c_${UUID}-lock-12`,
      `_c_${UUID}-lock-99999999999`,
      `_c_${UUID}-__LATCH__0000000001`,
      `${HEX}-__READ__0000000001`,
      `_c_${HEX}-lock-0000000001`,
      `${UUID}__lock__0000000001`,
      `${HEX}_lock_0000000001`,
      `x${HEX}__lock__0000000001`,
    ]
    expect(others.filter((name) => contenderOf(name) !== null)).toEqual([])
  })

  it('of a read-write lock has its side, and a reader can have the number of a writer', () => {
    const [read, write] = ['READ', 'WRIT'].map((word) => contenderOf(`_c_${UUID}-__${word}__-000000005`))
    expect([read, write].map((one) => [one?.kind, one?.sequence])).toEqual([['read', -5], ['write', -5]])
    const heir = readerNameAt(write as Contender)
    expect(readWriteContenderOf(heir)).toEqual({ name: heir, kind: 'read', sequence: -5 })
    for (const kind of ['read', 'write'] as const) {
      const { mark, rest } = readWriteNames(kind).newPrefix()
      expect(readWriteContenderOf(`${mark}${rest}0000000007`)).toMatchObject({ kind, sequence: 7 })
    }
    expect(readWriteContenderOf(`_c_${UUID}-lock-0000000001`)).toBeNull()
  })

  it('is made new each time, and read back as what it is', () => {
    for (const layout of ['curator', 'kazoo'] as const) {
      const { newPrefix } = lockNames(layout)
      const [first, second] = [newPrefix(), newPrefix()]
      expect(first.mark).not.toBe(second.mark)
      expect(contenderOf(`${first.mark}${first.rest}0000000007`)).toMatchObject({ kind: 'lock', sequence: 7 })
    }
    expect(lockNames('curator').newPrefix().mark).toMatch(/^_c_[0-9a-f-]{36}-$/)
    const { mark, rest } = lockNames('kazoo').newPrefix()
    expect(mark).toMatch(/^[0-9a-f]{32}$/)
    expect(rest).toBe('__lock__')
  })
})

describe('a fair lock', () => {
  useVirtualTime()

  it('serves clients of both layouts, and contenders of other libraries, in one order', async () => {
    const rig = newRig()
    const [one, two, other] = [await rig.connect(), await rig.connect(), await rig.connect()]
    const holder = await run(new FairLock(one, PATH, { layout: 'kazoo' }).acquire())
    const foreign = await run(other.create(`${PATH}/${HEX}__lock__`, '', { mode: 'ephemeral-sequential' }))
    const waiting = new FairLock(two, PATH, { layout: 'curator' }).acquire()
    let isAdmitted = false
    void waiting.then(() => (isAdmitted = true))
    await run(holder.release())
    expect(await run(new FairLock(one, PATH).tryAcquire())).toBeNull()
    expect(isAdmitted).toBe(false)
    await run(other.delete(foreign.path))
    const lease = await run(waiting)
    expect(lease.token).toBeGreaterThan(foreign.stat.czxid)
    await run(lease.release())
    expect(await closeAll(rig, one, two, other)).toEqual([])
  })

  it('passes over contenders of other recipes and other nodes, and reports them once', async () => {
    const rig = newRig()
    const [client, other] = [await rig.connect(), await rig.connect()]
    await run(other.makePath(PATH))
    for (const name of ['config', `_c_${UUID}-latch-`, `_c_${UUID}-__READ__`, `${HEX}__rlock__`, `_c_${UUID}-lock-x`]) {
      const mode = name.endsWith('-') || name.endsWith('_') ? 'ephemeral-sequential' : 'ephemeral'
      await run(other.create(`${PATH}/${name}`, '', { mode }))
    }
    for (let round = 0; round < 2; round += 1) {
      const lease = await run(new FairLock(client, PATH).acquire())
      expect(await run(new FairLock(client, PATH).contenders())).toHaveLength(1)
      await run(lease.release())
    }
    expect(String(rig.errors[0])).toContain(`${PATH} has children that are no contenders of this lock`)
    expect(rig.errors).toMatchObject([{ code: 'INVALID_VALUE', outcome: 'corrupt', path: PATH }])
    expect(String(rig.errors[0])).toContain('and 2 more. Give each lock, and each recipe, a path of its own')
    expect(await closeAll(rig, client, other)).toEqual([])
  })

  it('writes the names that its layout says', async () => {
    const rig = newRig()
    const client = await rig.connect()
    const names = { curator: /^_c_.{36}-lock-0000000000$/, kazoo: /^.{32}__lock__0000000000$/ }
    for (const layout of ['curator', 'kazoo'] as const) {
      const lock = new FairLock(client, `${PATH}-${layout}`, { layout })
      const lease = await run(lock.acquire())
      expect((await run(client.children(lock.path))).names).toEqual([expect.stringMatching(names[layout])])
      await run(lease.release())
    }
    expect(await closeAll(rig, client)).toEqual([])
  })

  it('refuses a layout that there is not', async () => {
    const rig = newRig()
    const client = await rig.connect()
    const wrong = { layout: 'etcd' } as unknown
    expect(() => new FairLock(client, PATH, wrong as object)).toThrow(/layout must be 'curator' or 'kazoo', got "etcd"/)
    expect(await closeAll(rig, client)).toEqual([])
  })
})
