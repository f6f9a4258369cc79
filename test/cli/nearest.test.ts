/** Suggestions for an unknown word. */
import { expect, it } from 'vitest'
import { hint, nearest } from '../../src/cli/nearest.ts'

it.each([
  ['gte', 'get'],
  ['lss', 'ls'],
  ['GETACL', 'getAcl'],
  ['--conect', '--connect'],
  ['dleete', 'delete'],
  ['clientPrt', 'clientPort'],
])('%s is near to %s', (word, meant) => {
  expect(nearest(word, ['set', 'get', 'getAcl', 'ls', 'delete', '--connect', 'clientPort'])).toBe(meant)
})

it.each(['', 'x', 'ab', 'frobnicate', '/path'])('%j is near to none', (word) => {
  expect(nearest(word, ['set', 'get', 'getAcl', 'delete'])).toBeNull()
  expect(hint(word, ['set', 'get'])).toBe('')
})
