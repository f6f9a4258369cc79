import { describe, expect, it } from 'vitest'
import { decodeNode, encodeNode, statOf } from '../../../src/backends/etcd/node-value.ts'

const header = { isEphemeral: false, version: 3, ctimeMs: 1_000, mtimeMs: 2_000, czxid: 0n }
const key = { created: 10n, modified: 12n, lease: 0n, dataLength: 4 }
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('the value of a node in etcd', () => {
  it('is a line that people can read and the data behind it, and is read back', () => {
    const data = new Uint8Array([0, 10, 255, 10])
    const value = encodeNode({ ...header, isEphemeral: true }, data)
    expect(text(value.subarray(0, value.length - data.length))).toBe('quorate1 ephemeral 3 1000 2000 0\n')
    expect(decodeNode(value, '/n')).toEqual({ header: { ...header, isEphemeral: true }, data })
  })

  it('that somebody else wrote is refused as corrupt', () => {
    for (const value of ['', 'x', 'quorate1 persistent 0 0 0 0', 'quorate2 persistent 0 0 0 0\n']) {
      const decode = (): unknown => decodeNode(new TextEncoder().encode(value), '/n')
      expect(decode).toThrow(expect.objectContaining({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt', path: '/n' }))
    }
  })

  it('gives a stat whose cversion counts the children that etcd removed by itself', () => {
    const stat = statOf({ ...header, ...key }, { creates: 5, pzxid: 20n, numChildren: 2 })
    expect(stat).toMatchObject({ czxid: 10n, mzxid: 12n, pzxid: 20n, version: 3, cversion: 5 + 3, numChildren: 2 })
    expect(statOf({ ...header, ...key }, { creates: 0, pzxid: 0n, numChildren: 0 }).pzxid).toBe(10n)
  })

  it('keeps the czxid of a node that a transaction made again in place of another', () => {
    const none = { creates: 0, pzxid: 0n, numChildren: 0 }
    expect(statOf({ ...header, ...key, czxid: 1n }, none).czxid).toBe(12n)
    expect(statOf({ ...header, ...key, czxid: 12n, modified: 15n }, none).czxid).toBe(12n)
  })

  it('names the lease as owner of an ephemeral node only', () => {
    const none = { creates: 0, pzxid: 0n, numChildren: 0 }
    expect(statOf({ ...header, ...key, lease: 7n }, none).ephemeralOwner).toBe(0n)
    expect(statOf({ ...header, ...key, lease: 7n, isEphemeral: true }, none).ephemeralOwner).toBe(7n)
  })
})
