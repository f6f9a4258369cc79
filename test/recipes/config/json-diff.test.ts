/** Where two values differ. */
import { expect, it } from 'vitest'
import { differences } from '../../../src/recipes/config/json-diff.ts'

it.each<[string, unknown, unknown, unknown[]]>([
  ['equal objects, whatever the order of their members', { a: 1, b: [2] }, { b: [2], a: 1 }, []],
  ['values that are no containers', 1, '1', [['', 'changed']]],
  ['null and an object', null, {}, [['', 'changed']]],
  ['an array and an object', { a: [1] }, { a: { 0: 1 } }, [['/a', 'changed']]],
  ['arrays of different lengths', [1, 2, 3], [1, 4], [['/1', 'changed'], ['/2', 'removed']]],
  ['an item that is added', [], [{ a: 1 }], [['/0', 'added']]],
  ['a member that is undefined', { a: undefined }, {}, [['/a', 'removed']]],
  ['names that a pointer escapes', { 'a/b': { '~': 1 } }, { 'a/b': { '~': 2 } }, [['/a~1b/~0', 'changed']]],
  ['a name of the language', JSON.parse('{"__proto__": 1}'), {}, [['/__proto__', 'removed']]],
  ['equal bytes', new Uint8Array([1, 2]), new Uint8Array([1, 2]), []],
  ['other bytes', new Uint8Array([1, 2]), new Uint8Array([1, 3]), [['', 'changed']]],
])('compares %s', (_what, before, after, expected) => {
  expect(differences(before, after).map(({ place, type }) => [place, type])).toEqual(expected)
})
