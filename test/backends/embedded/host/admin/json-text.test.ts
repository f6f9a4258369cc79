import { describe, expect, it } from 'vitest'
import { Members, jsonPieces } from '../../../../../src/backends/embedded/host/admin/json-text.ts'
import type { JsonValue } from '../../../../../src/backends/embedded/host/admin/json-text.ts'

function textOf(value: JsonValue): string {
  return [...jsonPieces(value)].join('')
}

describe('JSON in pieces', () => {
  it('has what JSON.parse gives back, with any nesting and with nothing in it', () => {
    const values = [
      null,
      true,
      0,
      -1.5,
      '',
      'quo"te\n\u2028',
      [],
      {},
      [[]],
      [{}],
      { a: [] },
      { a: {}, b: [[], [[], {}], { c: [null] }] },
      [1, [2, [3, [4, ['five']]]]],
      { 'key "with" quotes\n': { ['__proto__x']: [false] } },
    ]
    for (const value of values) expect(JSON.parse(textOf(value))).toEqual(value)
  })

  it('indents each level, and leaves empty ones on a line', () => {
    expect(textOf({ a: [1, {}], b: [] })).toBe('{\n  "a" : [\n    1,\n    {}\n  ],\n  "b" : []\n}')
  })

  it('writes every digit of a bigint', () => {
    const ids = [72_057_594_037_927_937n, -1n, 9_223_372_036_854_775_807n]
    expect(textOf(ids)).toBe(`[\n  ${ids.join(',\n  ')}\n]`)
  })

  it('makes arrays of iterables and objects of Members, one piece at a time', () => {
    const made: number[] = []
    function* numbers(): Generator<number> {
      for (let number = 1; number <= 3; number++) {
        made.push(number)
        yield number
      }
    }
    const pieces = jsonPieces(new Members([['list', numbers()], ['set', new Set(['x'])]]))
    while (!/1/.test(pieces.next().value as string));
    expect(made).toEqual([1])
    expect(JSON.parse(`{ "list" : [ 1${[...pieces].join('')}`)).toEqual({ list: [1, 2, 3], set: ['x'] })
    expect(textOf(new Members([]))).toBe('{}')
  })
})
