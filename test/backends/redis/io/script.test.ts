import { describe, expect, it } from 'vitest'
import { SCRIPTS } from '../../../../src/backends/redis/io/script.ts'

/** What a Redis takes at once of a client that has shown no password, in bytes. */
const UNAUTHENTICATED_BYTES_MAX = 16_384

describe('the scripts', () => {
  const scripts = Object.entries(SCRIPTS)

  it.each(scripts)('%s is short enough to be answered with NOAUTH where a password is wanted', (_, { text }) => {
    expect(Buffer.byteLength(text)).toBeLessThan(UNAUTHENTICATED_BYTES_MAX)
  })

  it.each(scripts)('%s has no pattern that is not anchored, but for a word', (_, { text }) => {
    const uses = text.matchAll(/string\.(?:match|find|gmatch|gsub)\([^,]+, ('[^']*'|\w+)/g)
    const patterns = [...uses].map(([, pattern]) => pattern)
    expect(patterns.length).toBeGreaterThan(5)
    for (const pattern of patterns) {
      expect(pattern).toMatch(/^('\^.*|STAT|'WRONGTYPE'|'master_replid:\(%x\+\)'|'%S\+')/)
    }
  })
})
