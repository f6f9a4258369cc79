import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MalformedMessage,
  bool,
  bytes,
  choice,
  int64,
  many,
  message,
  one,
  text,
} from '../../../src/backends/etcd/protobuf.ts'
import type { Message } from '../../../src/backends/etcd/protobuf.ts'

interface Tree {
  readonly number?: bigint
  readonly flag?: boolean
  readonly word?: 'a' | 'b'
  readonly data?: Uint8Array
  readonly name?: string
  readonly children?: readonly Tree[]
}

const tree: Message<Tree> = message<Tree>(() => ({
  number: one(1, int64),
  flag: one(2, bool),
  word: one(3, choice('a', 'b')),
  data: one(5, bytes),
  name: one(64, text),
  children: many(15, tree),
}))

const { aTree } = fc.letrec<{ aTree: Tree }>((tie) => ({
  aTree: fc.record(
    {
      number: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      flag: fc.boolean(),
      word: fc.constantFrom('a' as const, 'b' as const),
      data: fc.uint8Array({ maxLength: 300 }),
      name: fc.string({ unit: 'grapheme', maxLength: 200 }),
      children: fc.array(tie('aTree'), { minLength: 1, maxLength: 3, depthIdentifier: 'tree' }),
    },
    { requiredKeys: [] },
  ),
}))

const hex = (content: Uint8Array): string => Buffer.from(content).toString('hex')
const fromHex = (content: string): Uint8Array => Buffer.from(content, 'hex')

/** The bytes in a tree as plain arrays, so that only their contents are compared. */
function plain(value: Tree): unknown {
  const { data, children, ...rest } = value
  return {
    ...rest,
    ...(data === undefined ? {} : { data: [...data] }),
    ...(children === undefined ? {} : { children: children.map(plain) }),
  }
}

/** Runs a decoder; null if it refused the bytes the one way it may. */
function attempt(content: Uint8Array): Tree | null {
  try {
    return tree.decode(content)
  } catch (error) {
    if (error instanceof MalformedMessage) return null
    throw error
  }
}

describe('protocol buffers', () => {
  it('are the bytes of the encoding guide', () => {
    expect(hex(tree.encode({ number: 150n }))).toBe('089601')
    expect(hex(tree.encode({ number: -2n }))).toBe('08feffffffffffffffff01')
    const worded = message<{ s: string }>(() => ({ s: one(2, text) }))
    expect(hex(worded.encode({ s: 'testing' }))).toBe('120774657374696e67')
    const inner = message<{ a: bigint }>(() => ({ a: one(1, int64) }))
    const outer = message<{ c: { a: bigint } }>(() => ({ c: one(3, inner) }))
    expect(hex(outer.encode({ c: { a: 150n } }))).toBe('1a03089601')
  })

  it('write what is undefined not at all, and a zero that is given', () => {
    expect(hex(tree.encode({}))).toBe('')
    const zeros = { number: 0n, flag: false, word: 'a', name: '', data: new Uint8Array() } as const
    expect(hex(tree.encode(zeros))).toBe('0800100018002a00820400')
    expect(tree.decode(fromHex(''))).toEqual({})
  })

  it('are read back as they were written', () => {
    fc.assert(
      fc.property(aTree, (value) => {
        expect(plain(tree.decode(tree.encode(value)))).toEqual(plain(value))
      }),
    )
  })

  it('keep every number of 64 bits', () => {
    const large = [2n ** 31n, 2n ** 49n - 1n, 2n ** 49n, 2n ** 53n, 2n ** 63n - 1n]
    for (const number of [0n, 127n, 128n, ...large, -(2n ** 63n), -1n]) {
      expect(tree.decode(tree.encode({ number }))).toEqual({ number })
    }
  })

  it('skip fields that are not known, of every wire type', () => {
    const known = hex(tree.encode({ name: 'n' }))
    for (const unknown of ['30ffffffffffffffffff01', '310102030405060708', '3203aabbcc', '3501020304']) {
      expect(tree.decode(fromHex(unknown + known + unknown))).toEqual({ name: 'n' })
    }
  })

  it('that are malformed or cut anywhere raise nothing but MalformedMessage', () => {
    expect(() => tree.decode(fromHex('0a'))).toThrow(MalformedMessage)
    expect(() => tree.decode(fromHex('2a05aa'))).toThrow('ends within a field')
    expect(() => tree.decode(fromHex('7a022a05aabbccddee'))).toThrow('ends within a field')
    expect(() => tree.decode(fromHex('1802'))).toThrow('a choice that is none')
    expect(() => tree.decode(fromHex(`08${'ff'.repeat(10)}01`))).toThrow('more than 10 bytes')
    expect(() => tree.decode(fromHex('33'))).toThrow('wire type 3')
    fc.assert(
      fc.property(aTree, fc.nat(), (value, at) => {
        const whole = tree.encode(value)
        attempt(whole.subarray(0, at % (whole.length + 1)))
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (garbage) => void attempt(garbage)))
  })
})

it('a message that is all depth is malformed, however long it is', () => {
  const within = (depth: number): Uint8Array => {
    const pieces: number[] = []
    let length = 0
    for (let level = 0; level < depth; level++) {
      const digits: number[] = []
      for (let rest = length; ; rest = Math.floor(rest / 128)) {
        digits.unshift(rest < 128 ? rest : (rest % 128) | 128)
        if (rest < 128) break
      }
      // Turned around at the end: the innermost is written first.
      pieces.push(...digits, (15 << 3) | 2)
      length += digits.length + 1
    }
    return Uint8Array.from(pieces.reverse())
  }
  expect(tree.decode(within(50)).children?.[0]?.children?.length).toBe(1)
  for (const depth of [101, 100_000]) expect(() => tree.decode(within(depth))).toThrow(MalformedMessage)
})
