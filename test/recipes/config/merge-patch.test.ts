/** How one value is laid over another: the examples of RFC 7396, and names that are none. */
import { expect, it } from 'vitest'
import { merged } from '../../../src/recipes/config/merge-patch.ts'

it.each([
  ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
  ['{"a":"b"}', '{"a":null}', '{}'],
  ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
  ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
  ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
  ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
  ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
  ['["a","b"]', '["c","d"]', '["c","d"]'],
  ['{"a":"b"}', '["c"]', '["c"]'],
  ['{"a":"foo"}', 'null', 'null'],
  ['{"a":"foo"}', '"bar"', '"bar"'],
  ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
  ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
  ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
])('lays over %s the value %s', (target, patch, result) => {
  const [before, over] = [JSON.parse(target) as unknown, JSON.parse(patch) as unknown]
  expect(JSON.stringify(merged(before, over))).toBe(result)
  expect([JSON.stringify(before), JSON.stringify(over)]).toEqual([target, patch])
})

it('takes __proto__ for a name like others', () => {
  const result = merged(JSON.parse('{"a":1}'), JSON.parse('{"__proto__":{"isAdmin":true}}')) as { isAdmin?: boolean }
  expect(result.isAdmin).toBeUndefined()
  expect(JSON.stringify(result)).toBe('{"a":1,"__proto__":{"isAdmin":true}}')
})
