/** The bytes of records: what is written is read, and what is none is refused. */
import { expect, it } from 'vitest'
import { RecordPaths, decodeEntry, decodeHead } from '../../../src/recipes/config/config-records.ts'
import { encodeEntry, encodeHead, versionOfName } from '../../../src/recipes/config/config-records.ts'
import { codeOf } from '../rig.ts'

const said = { author: 'ann', comment: 'two\nlines', format: 'json', of: null, atMs: null, isOmitted: false }
const header = { version: 7, kind: 'publish', id: 'x', nodeVersion: 3, ...said } as const

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function failureOf(read: () => unknown): string {
  try {
    return String(read())
  } catch (error) {
    return codeOf(error)
  }
}

it('reads what it has written, with the bytes of the value as they were', () => {
  const value = new Uint8Array([10, 0, 255, 10])
  expect(decodeEntry('/e', encodeEntry({ header, value }))).toEqual({ header, value })
  const omitted = { ...header, isOmitted: true }
  expect(decodeEntry('/e', encodeEntry({ header: omitted, value })).value).toHaveLength(0)
  const head = { last: 7, sizes: [10, 20], nodeVersion: 3, current: 6, staged: 7 }
  expect(decodeHead('/h', encodeHead(head))).toEqual(head)
  expect(decodeHead('/h', bytes(''))).toBeNull()
  const old = '{"format":1,"last":7,"sizes":[10],"nodeVersion":3}'
  expect(decodeHead('/h', bytes(old))).toEqual({ last: 7, sizes: [10], nodeVersion: 3, current: 7, staged: null })
})

it.each(['{}', 'null', '[]', 'x', '{"format":2,"last":0,"sizes":[],"nodeVersion":null}',
  '{"format":1,"last":1,"sizes":[1,1],"nodeVersion":null}', '{"format":1,"last":1,"sizes":[-1],"nodeVersion":null}',
  '{"format":1,"last":1,"sizes":[1],"nodeVersion":"0"}',
  '{"format":1,"last":1,"sizes":[1],"nodeVersion":0,"staged":-1}',
])('refuses a head that is none: %s', (text) => {
  expect(failureOf(() => decodeHead('/h', bytes(text)))).toBe('INVALID_VALUE/corrupt')
})

it.each(['', '{}', '{}\n', 'null\n1', `${JSON.stringify({ ...header, kind: 'other' })}\n1`,
  `${JSON.stringify({ ...header, version: 1.5 })}\n1`, `${JSON.stringify({ ...header, author: 5 })}\n1`,
])('refuses an entry that is none: %j', (text) => {
  expect(failureOf(() => decodeEntry('/e', bytes(text)))).toBe('INVALID_VALUE/corrupt')
})

it('names records by the path of the value, and no two values alike', () => {
  const heads = ['/', '/a', '/a/b', '/a%2Fb', '/%'].map((path) => new RecordPaths(path).head)
  const names = heads.map((head) => head.slice('/quorate/config'.length))
  expect(names).toEqual(['/%2F', '/a', '/a%2Fb', '/a%252Fb', '/%25'])
  expect(new RecordPaths('/a').entry(12)).toBe('/quorate/config/a/history/v0000000012')
  expect([versionOfName('v0000000012'), versionOfName('v12'), versionOfName('other')]).toEqual([12, null, null])
  expect(() => new RecordPaths(`/${'x'.repeat(3_060)}`)).toThrow(/bytes/)
})
