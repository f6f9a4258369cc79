/** Where a password comes from. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askedLogin, hasPassword, loginOf } from '../../src/cli/credentials.ts'

let folder: string
let file: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-password-'))
  file = join(folder, 'password')
  writeFileSync(file, 'from file\nsecond line\n')
})

afterAll(() => {
  rmSync(folder, { recursive: true })
})

type Given = Parameters<typeof loginOf>[0]

const given = (url: string, rest: Partial<Given> = {}): Given => ({
  url,
  user: null,
  passwordFile: null,
  asksPassword: false,
  ...rest,
})
const ENV = { QUORATE_PASSWORD: 'from env' }
const ask = async (question: string): Promise<string> => `asked: ${question}`

describe('the login of the command line', () => {
  it('has the password of a file, of the terminal, or of the environment', async () => {
    const inFile = given('h:2181', { user: 'ann', passwordFile: file })
    expect(await loginOf(inFile, ENV, ask)).toEqual({ user: 'ann', password: 'from file' })
    const asks = given('etcd://ann%40x@h:1', { asksPassword: true })
    expect(await loginOf(asks, ENV, ask)).toEqual({ user: 'ann@x', password: 'asked: Password of ann@x: ' })
    expect(await loginOf(given('h:2181', { user: 'ann' }), ENV, null)).toEqual({ user: 'ann', password: 'from env' })
    expect(await loginOf(given('h:2181', { user: 'ann' }), {}, ask)).toEqual({
      user: 'ann',
      password: 'asked: Password of ann: ',
    })
    expect(await loginOf(given('redis://h:1'), ENV, null)).toEqual({ user: null, password: 'from env' })
  })

  it('is nobody where nobody is named, or the URL says it all', async () => {
    for (const url of ['h:2181', 'embedded:', 'etcd://h:1', 'redis://u:p@h', 'etcd://u:p/w@h']) {
      expect(await loginOf(given(url), ENV, ask)).toBeNull()
    }
    expect(await loginOf(given('redis://u@h'), { QUORATE_PASSWORD: '' }, ask)).toBeNull()
  })

  const wrong: readonly (readonly [Partial<Given>, string])[] = [
    [{ user: 'ann:SECRET' }, '--user takes a name without a colon: set QUORATE_PASSWORD'],
    [{ user: 'ann' }, 'no password for ann: set QUORATE_PASSWORD, or give --password-file FILE'],
    [{ asksPassword: true, user: 'ann' }, '--ask-password needs a terminal'],
    [{ passwordFile: '/none', asksPassword: true, user: 'ann' }, 'either --password-file or --ask-password'],
    [{ passwordFile: '/none' }, '--password-file needs --user NAME'],
    [{ passwordFile: '/none', user: 'ann' }, 'cannot read the password in /none: there is no such file'],
    [{ passwordFile: '/', user: 'ann' }, 'cannot read the password in /: it is a folder'],
    [{ passwordFile: '/dev/null', user: 'ann' }, 'the first line of /dev/null is empty'],
    [{ url: 'redis://u:p@h', passwordFile: '/none' }, '--password-file: the URL has a password already'],
    [{ url: 'redis://u@h', user: 'ann' }, '--user: the URL names a user already'],
    [{ url: 'redis://%zz@h', passwordFile: '/dev/null' }, 'a % is %25'],
  ]
  it.each(wrong)('is refused with what is wrong: %j', async (line, message) => {
    const refused = loginOf({ ...given('h:2181'), ...line }, {}, null)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.not.toThrow('SECRET')
  })
})

describe('the login of a line of the shell', () => {
  it('is asked for, and never that of the environment', async () => {
    expect(await askedLogin('redis://u@h', ask)).toEqual({ user: 'u', password: 'asked: Password: ' })
    expect(await askedLogin('redis://h', ask)).toEqual({ user: null, password: 'asked: Password: ' })
    await expect(askedLogin('redis://u:p@h', ask)).rejects.toThrow('has a password already')
    await expect(askedLogin('h:2181', ask)).rejects.toThrow('addauth digest user')
  })
})

describe('a login by SASL', () => {
  it('has the mechanism that was asked for, on a ZooKeeper', async () => {
    expect(await loginOf(given('h:2181', { user: 'ann', sasl: 'scram-sha-256' }), ENV, null)).toEqual({
      user: 'ann', password: 'from env', mechanism: 'SCRAM-SHA-256',
    })
    await expect(loginOf(given('redis://h', { user: 'ann', sasl: 'x' }), ENV, null)).rejects.toThrow(/for a ZooKeeper/)
    await expect(loginOf(given('h', { sasl: 'DIGEST-MD5' }), ENV, null)).rejects.toThrow('--sasl needs --user NAME')
    await expect(loginOf(given('h', { user: 'ann', sasl: 'GSSAPI' }), ENV, null)).rejects.toThrow(
      '--sasl takes SCRAM-SHA-256 or DIGEST-MD5, got "GSSAPI"',
    )
  })
})

it('a password in a URL is seen, and a user without one is none', () => {
  expect(['redis://u:p@h', 'etcds://u:p@h', 'redis://:p@h'].map(hasPassword)).toEqual([true, true, true])
  expect(['redis://u@h', 'redis://u:@h', 'h:2181', 'redis://h:6379'].map(hasPassword)).toEqual(Array(4).fill(false))
})
