/** A typed line as words, and what a command makes of them. */
import { describe, expect, it } from 'vitest'
import { openWordOf, wordsOf } from '../../src/cli/words.ts'
import { Given, versionOf } from '../../src/cli/shell/command.ts'
import type { Command } from '../../src/cli/shell/command.ts'

describe('a line', () => {
  it.each([
    ['', []],
    ['   ', []],
    ['ls /', ['ls', '/']],
    ['  create\t/a   hello  ', ['create', '/a', 'hello']],
    ['create /a "two words"', ['create', '/a', 'two words']],
    ["create /a 'a \"quoted\" word'", ['create', '/a', 'a "quoted" word']],
    ['create /a ""', ['create', '/a', '']],
    ['set /a it\'s', ['set', '/a', "it's"]],
    ['set /a {"b":1}', ['set', '/a', '{"b":1}']],
  ])('%j is taken apart as zkCli does', (line, words) => {
    expect(wordsOf(line)).toEqual(words)
  })

  it('is refused while a quote is open', () => {
    expect(() => wordsOf('create /a "b c')).toThrow('a quote without an end: "b c')
  })

  it.each([
    ['', { start: 0, before: [], quote: '', text: '' }],
    ['cre', { start: 0, before: [], quote: '', text: 'cre' }],
    ['get ', { start: 4, before: ['get'], quote: '', text: '' }],
    ['get -s /a/b', { start: 7, before: ['get', '-s'], quote: '', text: '/a/b' }],
    ['get "/a b', { start: 4, before: ['get'], quote: '"', text: '/a b' }],
    ['get "/a b"', { start: 10, before: ['get', '/a b'], quote: '', text: '' }],
  ])('%j is being typed at its last word', (line, word) => {
    expect(openWordOf(line)).toEqual(word)
  })
})

describe('the arguments of a command', () => {
  const command: Command = {
    name: 'make',
    usage: '[-s] [-v version] [-wait ms] path [data]',
    summary: '',
    flags: { s: 'alone', w: 'alone', v: 'value', wait: 'value' },
    words: [1, 2],
    run: async () => undefined,
  }
  const given = (...args: string[]): Given => new Given(command, args)

  it('may have flags anywhere, together or with values attached', () => {
    for (const args of [['-s', '-v', '3', '/a'], ['/a', '-v3', '-s'], ['-sv3', '/a'], ['-v=3', '/a', '-s']]) {
      const read = given(...args)
      expect([read.has('s'), read.has('w'), versionOf(read), read.words]).toEqual([true, false, 3, ['/a']])
    }
  })

  it('may have flags of several letters, with one dash or two', () => {
    for (const args of [['-wait', '5', '/a'], ['--wait', '5', '/a'], ['--wait=5', '/a']]) {
      expect(given(...args).integer('wait', 1, 10)).toBe(5)
    }
  })

  it('takes a negative number for a word, and a value', () => {
    expect(given('/a', '-5').words).toEqual(['/a', '-5'])
    expect(versionOf(given('/a', '-v', '-1'))).toBe(-1)
  })

  it('takes everything behind -- for words', () => {
    expect(given('--', '/a', '-s')).toMatchObject({ words: ['/a', '-s'], rest: ['/a', '-s'] })
  })

  it.each([
    [['-x', '/a'], 'make: there is no flag -x'],
    [['-sx', '/a'], 'make: there is no flag -x'],
    [['-S', '/a'], 'make: there is no flag -S; did you mean -s?'],
    [['--jsno', '/a'], 'make: there is no flag --jsno; did you mean --json?'],
    [['/a', '-v'], 'make: -v needs a value'],
    [[], 'make: too few arguments'],
    [['/a', 'b', 'c', 'd'], 'make: too many arguments: c d'],
  ])('%j are refused with the usage', (args, message) => {
    expect(() => given(...args)).toThrow(`${message}; usage: make [-s] [-v version] [-wait ms] path [data]`)
  })

  it('are refused for a version that is none', () => {
    expect(() => versionOf(given('/a', '-v', 'x'))).toThrow('-v must be a whole number from -1 to 2147483647, got "x"')
    expect(() => versionOf(given('/a', '-v', '-2'))).toThrow('got "-2"')
  })
})
