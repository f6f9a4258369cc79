/** The parts of URLs and lines with a password that may be shown and kept. */
import { describe, expect, it } from 'vitest'
import { engineOf } from '../../src/cli/connect-url.ts'
import { withLogin } from '../../src/cli/credentials.ts'
import { holdsSecret, shownLine, shownUrl } from '../../src/cli/secrets.ts'

const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index))
/** The characters are at the beginning, within, at the end, and twice. */
const PASSWORDS = PRINTABLE.flatMap((char) => {
  return [`${char}SECRET`, `SEC${char}RET`, `SECRET${char}`, `S${char}EC${char}RET`]
})
const BEGINNINGS = [
  'redis://ann:', 'redis://:', 'rediss://ann:', 'etcd://ann:', 'etcds://ann:', 'zookeeper://ann:', 'ann:', 'ftp://ann:',
]
const LEAK = /SECRET|RET|SEC|EC/

/** The label of a URL's engine, or the error of a wrong one. */
function saidOf(url: string): Promise<string> {
  return engineOf(url).then(
    ({ label }) => label,
    (error: unknown) => String(error),
  )
}

describe('a URL with a password', () => {
  it.each(BEGINNINGS)('never shows it, whatever it holds: %s', (beginning) => {
    for (const password of PASSWORDS) {
      for (const end of ['@h:6379', '@h:6379/0?namespace=n', '@h,i:2/p']) {
        const shown = shownUrl(beginning + password + end)
        expect(shown, password).not.toMatch(LEAK)
        expect(shown).toContain('***@h')
      }
    }
  })

  it.each(['redis://ann:', 'etcd://ann:', 'zookeeper://ann:', 'ann:', 'ftp://ann:'])(
    'shows it neither in an error nor in a label: %s',
    async (beginning) => {
      for (const password of PASSWORDS) {
        expect(await saidOf(`${beginning}${password}@h:6379`), password).not.toMatch(LEAK)
      }
    },
  )

  it.each([
    ['redis://ann:SECRET', 'redis://ann:***'],
    ['redis://ann:SEC/RET', 'redis://ann:***'],
    ['redis://:SECRET', 'redis://:***'],
    ['etcd://ann:1SECRET/p', 'etcd://ann:***'],
    ['redis://h?password=SECRET&namespace=n', 'redis://h?***&namespace=n'],
  ])('shows none where the host is forgotten, or of its query: %s', async (url, shown) => {
    expect(shownUrl(url)).toBe(shown)
    expect(await saidOf(url)).not.toMatch(LEAK)
  })

  it.each([
    'redis://h:6379/0?namespace=n', 'redis://[::1]:6379', 'etcd://h:1,i:2/app', 'zookeeper://h:1,i:2/app',
    'embedded:?servers=3', 'h:2181', 'redis://h', 'etcd://h/app',
  ])('is shown as it is without one: %s', (url) => {
    expect(shownUrl(url)).toBe(url)
  })

  it('is refused where it could be read in two ways, before it leads to another host', async () => {
    await expect(engineOf('redis://u:12/w@h:6379')).rejects.toThrow(
      'cannot connect to redis://***@h:6379: write / ? # and @ of a user or password as %2F %3F %23 and %40',
    )
    await expect(engineOf('etcd://u:12/w@h')).rejects.toThrow('%2F')
    await expect(engineOf('etcd://u:%zz@h')).rejects.toThrow(/^cannot connect to etcd:\/\/\*\*\*@h: .*%25/)
  })

  it('gets one from elsewhere in a form that every engine reads', () => {
    for (const password of PASSWORDS) {
      const url = withLogin('redis://h:6379/0', { user: 'a/b', password })
      expect(decodeURIComponent(new URL(url).password)).toBe(password)
      expect(decodeURIComponent(new URL(url).username)).toBe('a/b')
      expect(new URL(url).host).toBe('h:6379')
    }
    const login = { user: 'ann', password: 'p' }
    expect(withLogin('etcd://ann@h:1,i:2/p', login)).toBe('etcd://ann:p@h:1,i:2/p')
    expect(withLogin('h:2181', login)).toBe('h:2181')
  })
})

describe('a line that was typed', () => {
  it.each([
    'addauth digest ann:SECRET',
    '"addauth" digest ann:SECRET',
    ' ADDAUTH digest ann:SECRET',
    'adauth digest ann:SECRET',
    'connect redis://:SECRET@h',
    `connect "redis://u:SECRET@h`,
    'connect redis://u:SEC RET@h',
    'conect u:SECRET@h',
    'connect redis:/u:SECRET@h',
    'connect redis://u:SECRET',
    'connect redis://h?password=SECRET',
    'create /db "postgres://u:SECRET@h/x"',
  ])('is known to hold a secret: %s', (line) => {
    expect(holdsSecret(line)).toBe(true)
    expect(shownLine(line)).not.toMatch(/SEC|RET/)
  })

  it('is known to hold one whatever the password has', () => {
    for (const password of PASSWORDS) expect(holdsSecret(`connect redis://u:${password}@h`), password).toBe(true)
  })

  it.each([
    'connect h:2181', 'connect', 'get /a@b', 'create /a user@example.org', 'ls /', 'close', 'connect redis://h:1/0',
  ])('is shown and kept without one: %s', (line) => {
    expect(holdsSecret(line)).toBe(false)
    expect(shownLine(line)).toBe(line)
  })
})
