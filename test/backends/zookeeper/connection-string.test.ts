import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { textOf } from '../../../src/backends/client/server-address.ts'
import { destinationOf } from '../../../src/backends/zookeeper/connection-string.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'

describe('a connection string', () => {
  it('names servers, with ports that are 2181 if they are left out, and a chroot', () => {
    expect(destinationOf('a.example:2182, 10.0.0.1,[::1]:2183,[fe80::1%eth0]/app/eu')).toEqual({
      servers: [
        { host: 'a.example', port: 2182 },
        { host: '10.0.0.1', port: 2181 },
        { host: '::1', port: 2183 },
        { host: 'fe80::1%eth0', port: 2181 },
      ],
      chroot: '/app/eu',
    })
    expect(destinationOf('a')).toEqual({ servers: [{ host: 'a', port: 2181 }], chroot: '/' })
    expect(destinationOf('a/').chroot).toBe('/')
    expect(destinationOf('zookeeper://a:1,b/app')).toEqual(destinationOf('a:1,b/app'))
    expect([textOf({ host: '::1', port: 1 }), textOf({ host: 'a', port: 2 })]).toEqual(['[::1]:1', 'a:2'])
  })

  it.each([
    ['', 'a server without a name'],
    ['a,,b', 'a server without a name'],
    ['a:0', 'there is no port "0"'],
    ['a:65536', 'there is no port "65536"'],
    ['a:2181x', 'there is no port "2181x"'],
    ['a:', 'there is no port ""'],
    ['::1', 'an IPv6 address goes into brackets'],
    ['fe80::1:2181', 'an IPv6 address goes into brackets'],
    ['[::1', 'is not host:port'],
    ['a b', 'is not host:port'],
    ['zk://a:2181', '"zk://" is not ZooKeeper\'s: write zookeeper://'],
    ['redis://a:2181', '"redis://" is not ZooKeeper\'s'],
    ['zookeeper://a:2181/app?x=1', 'a URL of ZooKeeper has no ?'],
    ['a/app,b/app', '"/app,b/app" cannot be a chroot: the chroot is given once, after the last server'],
    ['a:2181/app,b:2181', 'the chroot is given once, after the last server'],
    ['a/app,', 'the chroot is given once, after the last server'],
    ['a/x/', "is not a node's path"],
    ['a/x//y', "is not a node's path"],
  ])('like %j is refused with its value and the reason', (value, reason) => {
    expect(() => destinationOf(value)).toThrow(TypeError)
    expect(() => destinationOf(value)).toThrow(JSON.stringify(value))
    expect(() => destinationOf(value)).toThrow(reason)
  })

  it('has a chroot of bounded length', () => {
    expect(destinationOf(`a/${'x'.repeat(255)}`).chroot).toHaveLength(256)
    expect(() => destinationOf(`a/${'x'.repeat(256)}`)).toThrow(/the chroot is longer than 256 characters$/)
  })

  it.each([undefined, null, 5, {}, ['a']])('that is %j is refused', (value) => {
    expect(() => zookeeper(value as never)).toThrow(/^the servers must be a string like host:2181,.*, got /)
  })

  it('with what may be a password is refused without being shown', () => {
    expect(() => destinationOf('bob:secret@a:2181')).toThrow(/goes into the option auth$/)
    expect(() => destinationOf('bob:secret@a:2181')).not.toThrow(/secret/)
  })
})

describe('zookeeper()', () => {
  it.each([
    [{ sessionTimeout: 1 }, /zookeeper\(\) has no option "sessionTimeout"; did you mean "sessionTimeoutMs"/],
    [{ sessionTimeoutMs: 1 }, /sessionTimeoutMs must be a whole number from 10/],
    [{ sessionTimeoutMs: '1000' }, /sessionTimeoutMs must be a number, got "1000"/],
    [{ connectTimeoutMs: 0 }, /connectTimeoutMs must be/],
    [{ dataBytesMax: 0 }, /dataBytesMax must be/],
    [{ readOnly: 'yes' }, /readOnly must be true or false/],
    [{ lookup: 'dns' }, /lookup must be a function/],
    [{ tls: 'yes' }, /tls must be true, false or options/],
    [{ auth: 'digest' }, /auth must be a list/],
    [{ auth: [{ scheme: '', auth: 'a:b' }] }, /auth\[0\].scheme must be a name/],
    [{ auth: [{ scheme: 'digest' }] }, /auth\[0\].auth must be a string or bytes/],
    [{ acl: 'creator' }, /acl 'creator' needs the option auth/],
    [{ acl: [] }, /acl must be 'open', 'creator' or a list/],
    [{ acl: [{ permissions: 'rx', scheme: 'world', id: 'anyone' }] }, /letters of cdrwa, got "rx"/],
    [{ acl: [{ permissions: 'r', scheme: 'world' }] }, /acl\[0\].id must be a string/],
    [{ acl: [{ perms: 31, scheme: 'world', id: 'anyone' }] }, /acl\[0\] has no option "perms"/],
    [{ auth: [{ scheme: 'digest', auth: 'a:b', user: 'a' }] }, /auth\[0\] has no option "user"/],
    [{ auth: [null] }, /auth\[0\] takes an object of options, got null/],
    [{ auth: null }, /auth must be a list/],
    [5_000, /zookeeper\(\) takes an object of options, got 5000/],
    [null, /zookeeper\(\) takes an object of options, got null/],
  ])('refuses %j', (options, message) => {
    expect(() => zookeeper('a', options as object)).toThrow(message)
  })

  it('takes an option that is undefined for one that is not given', () => {
    const options = { sessionTimeoutMs: undefined, lookup: undefined } as object
    expect(zookeeper('a:1,b/app', options).name).toBe('zookeeper a:1,b:2181/app')
  })

  it('shows no secret when it is inspected, and none in an error', async () => {
    const auth = [{ scheme: 'digest', auth: 'bob:secret' }]
    const tls = { key: 'secret', passphrase: 'secret' }
    const lookup = (): Promise<string[]> => Promise.reject(new Error('no such host'))
    const backend = zookeeper('nowhere', { auth, tls, acl: 'creator', lookup })
    const error: unknown = await backend.open({ onError: () => undefined }).catch((reason: unknown) => reason)
    const text = [backend, error].map((value) => inspect(value, { depth: 20, showHidden: true })).join()
    expect(text + JSON.stringify(backend)).not.toMatch(/secret/)
    expect(error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    expect(String(error)).toMatch(/none of 1 servers opened a session; the last: no such host/)
  })
})
