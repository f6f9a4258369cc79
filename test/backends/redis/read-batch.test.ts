import { describe, expect, it } from 'vitest'
import type { Call } from '../../../src/backends/redis/calls.ts'
import { ReadBatch } from '../../../src/backends/redis/outbox.ts'

function read(path: string): Call {
  const nothing = (): void => undefined
  const call = { path, args: ['get', path], watch: null, audited: [], renews: false, request: 0, sentAtMs: 0 }
  return { ...call, script: 'read', settle: nothing, reject: nothing }
}

describe('reads on Redis', () => {
  const sent: string[][] = []
  const batchOf = (): ReadBatch => {
    sent.length = 0
    return new ReadBatch((reads) => void sent.push(reads.map(({ path }) => path)))
  }

  it('that are called in one turn are one script, in their order', async () => {
    const batch = batchOf()
    for (const path of ['/b', '/a']) batch.add(read(path))
    expect(sent).toEqual([])
    await Promise.resolve()
    expect(sent).toEqual([['/b', '/a']])
    batch.add(read('/c'))
    await Promise.resolve()
    expect(sent).toEqual([['/b', '/a'], ['/c']])
  })

  it('are not overtaken by what is sent behind them', async () => {
    const batch = batchOf()
    batch.add(read('/a'))
    batch.flush()
    sent.push(['a write'])
    batch.add(read('/b'))
    await Promise.resolve()
    batch.flush()
    expect(sent).toEqual([['/a'], ['a write'], ['/b']])
  })

  it('are four at most in one script', async () => {
    const batch = batchOf()
    for (let i = 0; i < 10; i++) batch.add(read(`/${i}`))
    await Promise.resolve()
    expect(sent.map(({ length }) => length)).toEqual([4, 4, 2])
    expect(sent.flat()).toEqual(Array.from({ length: 10 }, (_, i) => `/${i}`))
  })

  it('go down with their connection, and no later one is sent for them', async () => {
    const batch = batchOf()
    batch.add(read('/lost'))
    batch.drop()
    batch.add(read('/new'))
    await Promise.resolve()
    expect(sent).toEqual([['/new']])
  })
})
