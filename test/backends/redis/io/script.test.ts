import { describe, expect, it } from 'vitest'
import { SCRIPTS } from '../../../../src/backends/redis/io/script.ts'
import { lintLua } from './lua-lint.ts'

/** The longest request that a Redis takes of a client that has shown no password, in bytes. */
const UNAUTHENTICATED_BYTES_MAX = 16_384

describe('the scripts', () => {
  const scripts = Object.entries(SCRIPTS)

  it.each(scripts)('%s is short enough to be answered with NOAUTH where a password is wanted', (_, { text }) => {
    expect(Buffer.byteLength(text)).toBeLessThan(UNAUTHENTICATED_BYTES_MAX)
  })

  it.each(scripts)('%s has no pattern that is not anchored, but for a word', (_, { text }) => {
    const uses = text.matchAll(/(?:\bmatch|string\.(?:find|gmatch|gsub))\([^,]+,('[^']*'|\w+)/g)
    const patterns = [...uses].map(([, pattern]) => pattern)
    expect(patterns.length).toBeGreaterThan(5)
    for (const pattern of patterns) {
      expect(pattern).toMatch(/^('\^.*|STAT|FIELDS|'WRONGTYPE'|'master_replid:\(%x\+\)'|'\[\^\\n\]\+')/)
    }
  })
})

/** The prelude is the same in all scripts, and each uses a part of it: unused is what no script uses. */
const ALL = Object.values(SCRIPTS).map(({ text }) => lintLua(text))

describe('the Lua of the scripts', () => {
  it.each(Object.entries(SCRIPTS))('of %s uses no name that is declared nowhere', (_, { text }) => {
    expect(lintLua(text).filter((line) => line.includes('nowhere'))).toEqual([])
  })

  it('declares no name that no script uses', () => {
    const [first = [], ...others] = ALL
    expect(first.filter((line) => others.every((lines) => lines.includes(line)))).toEqual([])
  })

  it.each([
    ['a global that is read', 'local a = 1\nreturn a + b', 'b is declared nowhere'],
    ['a global that is written', "local a = 'b'\nc = a", 'c is declared nowhere'],
    ['a name with a slip of the pen', 'local function now(at) return at end\nreturn nwo(1)', 'nwo is declared nowhere'],
    ['a local that is not used', 'local a, b = 1, 2 -- b\nreturn a', 'b is declared and never used'],
    ['a parameter that is not used', 'return pcall(function(key) return 1 end)', 'key is declared and never used'],
  ])('is searched: %s is found', (_, text, line) => {
    expect(lintLua(text).join()).toContain(line)
  })

  it('may have fields, keys, comments and strings of any name', () => {
    const text = [
      "local a = {err = 'no', ['x'] = 1, status = 2} -- what",
      'local b = a.status',
      "for i = 1, #b do redis.call('GET', b[i]) end",
    ].join('\n')
    expect(lintLua(text)).toEqual([])
  })
})
