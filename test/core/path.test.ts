import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareSequence,
  isValidPath,
  joinPath,
  nameOf,
  parentOf,
  sequenceOf,
  sequenceSuffix,
  validatePath,
  validatePrefix,
} from '../../src/core/path.ts'

const INT32_MAX = 2 ** 31 - 1
const int32 = fc.integer({ min: -(2 ** 31), max: INT32_MAX })

describe('a path', () => {
  const plain = ['/', '/a', '/a/b', '/a.b/..c/.d', '/...', '/with space']
  const international = ['/ä/日本', '/\u007e', '/\u00a0', '/\uf900', '/\uffef']
  it.each([...plain, ...international])('may be %j', (path) => {
    expect(isValidPath(path)).toBe(true)
    expect(() => validatePath(path)).not.toThrow()
  })

  it.each([
    ['', 'it is empty'],
    ['a', 'it does not begin with /'],
    ['a/b', 'it does not begin with /'],
    ['/a/', 'it ends in /'],
    ['//', 'it has an empty segment at 1'],
    ['/a//b', 'it has an empty segment at 3'],
    ['/.', 'it has the segment . at 1'],
    ['/a/./b', 'it has the segment . at 3'],
    ['/..', 'it has the segment .. at 1'],
    ['/a/..', 'it has the segment .. at 3'],
    ['/a\u0000', 'it contains U+0000 at 2'],
    ['/a\u001fb', 'it contains U+001F at 2'],
    ['/\u007f', 'it contains U+007F at 1'],
    ['/\u009f', 'it contains U+009F at 1'],
    ['/\ud83d\ude00', 'it contains U+D83D at 1'],
    ['/\uf8ff', 'it contains U+F8FF at 1'],
    ['/\ufffd', 'it contains U+FFFD at 1'],
    ['/\uffff', 'it contains U+FFFF at 1'],
  ])('may not be %j', (path, flaw) => {
    expect(isValidPath(path)).toBe(false)
    expect(() => validatePath(path, 'lock path')).toThrow(
      new TypeError(`lock path must be a node's path, got ${JSON.stringify(path)}: ${flaw}`),
    )
  })

  it.each([undefined, null, 7, {}])('is a string: %j is refused with a TypeError', (value) => {
    const path = value as string
    expect(() => validatePath(path)).toThrow(TypeError)
    expect(() => validatePrefix(path)).toThrow(TypeError)
  })

  it('of a sequential create may end in a slash, since digits follow', () => {
    expect(() => validatePrefix('/')).not.toThrow()
    expect(() => validatePrefix('/q/')).not.toThrow()
    expect(() => validatePrefix('/q/.')).not.toThrow()
    expect(() => validatePrefix('/q//', 'prefix')).toThrow('prefix must be the beginning of a node\'s path, got "/q//"')
    expect(() => validatePrefix('q')).toThrow(TypeError)
  })

  it('is taken apart and put together again', () => {
    expect([parentOf('/'), parentOf('/a'), parentOf('/a/b/c')]).toEqual(['/', '/', '/a/b'])
    expect([nameOf('/'), nameOf('/a'), nameOf('/a/b/c')]).toEqual(['', 'a', 'c'])
    for (const path of ['/a', '/a/b', '/a/b/c']) expect(joinPath(parentOf(path), nameOf(path))).toBe(path)
  })
})

describe('a sequence number', () => {
  it.each([
    [0, '0000000000'],
    [42, '0000000042'],
    [INT32_MAX, '2147483647'],
    [-1, '-000000001'],
    [-999_999_999, '-999999999'],
    [-1_000_000_000, '-1000000000'],
    [-(2 ** 31), '-2147483648'],
  ])('%i is written %s, as Java does with %%010d', (counter, suffix) => {
    expect(sequenceSuffix(counter)).toBe(suffix)
  })

  it('is read back from a name whose prefix is empty or ends in one minus, and from most others', () => {
    fc.assert(
      fc.property(int32, fc.constantFrom('', 'lock-', '_c_0f-write-'), (counter, prefix) => {
        expect(sequenceOf(prefix + sequenceSuffix(counter))).toBe(counter)
      }),
    )
    expect(sequenceOf('lock0000000017')).toBe(17)
    expect(sequenceOf('lock-000000017')).toBe(-17)
    expect(sequenceOf('lock-2147483648')).toBe(-(2 ** 31))
  })

  const unnumbered = ['', 'lock', '000000001', 'lock-00000000x1', 'lock-0000000001x', '9999999999', 'x-9999999999']
  it.each([...unnumbered, '-000000000', 'x1234-6789'])('is not in the name %j', (name) => {
    expect(sequenceOf(name)).toBeNull()
  })

  it('comes after its predecessor, also where the counter wraps', () => {
    fc.assert(
      fc.property(int32, fc.integer({ min: 1, max: INT32_MAX }), (counter, distance) => {
        const later = (counter + distance) | 0
        expect(compareSequence(counter, later)).toBeLessThan(0)
        expect(compareSequence(later, counter)).toBeGreaterThan(0)
        expect(compareSequence(counter, counter)).toBe(0)
      }),
    )
    expect([-(2 ** 31), INT32_MAX, 5 - 2 ** 31, INT32_MAX - 1].sort(compareSequence)).toEqual([
      INT32_MAX - 1,
      INT32_MAX,
      -(2 ** 31),
      5 - 2 ** 31,
    ])
  })
})
