import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DamageError } from '../../../../src/backends/wire/disk/damage.ts'
import {
  INITIALIZE_CONTENT,
  formatEpoch,
  formatMyid,
  parseEpoch,
  parseMyid,
} from '../../../../src/backends/wire/disk/number-files.ts'
import { goldenText } from './golden.ts'

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')

describe('a file of one number', () => {
  it('is read as ZooKeeper wrote it, and written again byte for byte', () => {
    const accepted = goldenText('core-server2', 'acceptedEpoch')
    expect(parseEpoch('acceptedEpoch', accepted)).toBe(2)
    expect(formatEpoch(2)).toBe(Buffer.from(accepted).toString())
    expect(parseEpoch('currentEpoch', goldenText('core-server2', 'currentEpoch'))).toBe(2)
    const myid = goldenText('reconfig-server5', 'myid')
    expect(parseMyid('myid', myid)).toBe(5)
    expect(formatMyid(5)).toBe(Buffer.from(myid).toString())
    expect(INITIALIZE_CONTENT).toBe('')
  })

  it('may have an end of line, and lines after it', () => {
    for (const text of ['7', '7\n', '7\r\n', '7\nnotes', '07']) {
      expect(parseEpoch('currentEpoch', bytesOf(text))).toBe(7)
    }
    expect(parseMyid('myid', bytesOf('3\n# the third\n'))).toBe(3)
  })

  it.each([
    ['nothing', '', 'data/currentEpoch: at byte 0: the file is empty; it should hold a number'],
    ['a space', '1 ', 'data/currentEpoch: at byte 0: "1 " is no decimal number'],
    ['a word', 'one', 'data/currentEpoch: at byte 0: "one" is no decimal number'],
    ['an empty line', '\n1', 'data/currentEpoch: at byte 0: "" is no decimal number'],
    ['less than nothing', '-1', 'data/currentEpoch: at byte 0: "-1" is no decimal number'],
    ['zeros', '\0\0', 'data/currentEpoch: at byte 0: "\\u0000\\u0000" is no decimal number'],
    ['too much', '2147483648', 'data/currentEpoch: at byte 0: "2147483648" is no epoch: the greatest is 2147483647'],
    ['a long line', 'x'.repeat(9_000), `data/currentEpoch: at byte 0: "${'x'.repeat(40)}" is no decimal number`],
  ])('is refused with %s, and the error says file and value', (_, text, message) => {
    const file = 'data/currentEpoch'
    const what = message.replace(`${file}: at byte 0: `, '')
    expect(() => parseEpoch(file, bytesOf(text))).toThrow(new DamageError(file, 'content', 0, what))
  })

  it('is refused as the id of a server if no number holds it', () => {
    expect(() => parseMyid('myid', bytesOf('9223372036854775807'))).toThrow(/"9223372036854775807" is too great/)
  })

  it('holds no number that cannot be', () => {
    for (const value of [-1, 0.5, Number.NaN, 2 ** 31]) expect(() => formatEpoch(value)).toThrow(RangeError)
    for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => formatMyid(value)).toThrow(RangeError)
  })

  it('of anything is a number or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        for (const parse of [parseEpoch, parseMyid]) {
          try {
            expect(parse('file', bytes)).toBeGreaterThanOrEqual(0)
          } catch (error) {
            expect(error).toBeInstanceOf(DamageError)
          }
        }
      }),
    )
  })
})
