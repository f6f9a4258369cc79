import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../src/backends/embedded/index.ts'
import { zookeeper } from '../src/backends/zookeeper/index.ts'
import { connect } from '../src/core/connect.ts'
import { reasonOf } from '../src/core/reason.ts'
import { backendOfUrl, connectUrl } from '../src/connect-url.ts'
import { freePort } from './engines/process.ts'

const messageOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => 'it went well', (error: unknown) => String(error))

describe('connectUrl', () => {
  it('connects to servers of its own, which end with the client', async () => {
    const client = await connectUrl('embedded:?servers=1', { namespace: '/app' })
    await client.create('/a', 'x')
    expect(await client.exists('/a')).not.toBeNull()
    await client.close()
    const { backend, close } = await backendOfUrl('embedded:?servers=1')
    await close()
    expect(await messageOf(connect(backend))).toMatch(/closed/)
  })

  it('connects to ZooKeeper under the chroot of the URL', async () => {
    const ensemble = embedded({ servers: 1, tickMs: 20, clientPorts: [0] })
    await ensemble.start()
    const host = `127.0.0.1:${ensemble.clientPorts[0] ?? 0}`
    {
      await using client = await connectUrl(`zookeeper://bob:p%2Fw@${host}/app`)
      await client.create('/a')
      await using operator = await connect(zookeeper(host))
      expect(await operator.exists('/app/a')).not.toBeNull()
    }
    await ensemble.close()
  })

  it.each([
    ['zookeeper://a:1,b/app', 'a:1,b/app'],
    ['zookeepers://a', 'a'],
    ['etcd://u:p@a:1,b:2/pre', 'a:1,b:2/pre'],
    ['etcds://a:1/', 'a:1/'],
    ['redis://:p@a:1/2?namespace=x', 'a:1/2'],
    ['rediss://a/', 'a'],
    ['REDIS://a', 'a'],
    ['embedded:', 'embedded'],
    [new URL('redis://u:p@a:1'), 'a:1'],
  ])('makes the backend of %s, with a label that shows nobody', async (url, label) => {
    expect((await backendOfUrl(url)).label).toBe(label)
  })

  it.each([
    ['localhost:2181', 'the URL must be embedded:, zookeeper://host:port,host:port/chroot'],
    ['mysql://bob:secret@a', 'the URL must be embedded:'],
    ['', 'the URL must be embedded:'],
    [undefined, 'got undefined'],
    ['redis:host', 'the URL must be embedded:'],
    ['redis://bob:se/cret@a', 'write / ? # and @ of a user or a password as %2F %3F %23 and %40'],
    ['redis://bob:se@cret@a', 'write / ? # and @ of a user or a password as %2F'],
    ['etcd://bob:se?cret@a', 'write / ? # and @ of a user or a password as %2F'],
    ['etcd://bob:se%cret@a', 'write % of a user or a password as %25'],
    ['redis://bob:secret', 'it needs host:port'],
    ['etcd://', 'it needs host:port'],
    ['redis://a?name=secret', 'has no option "name"; it takes namespace'],
    ['redis://a?nameSpace=secret', 'has no option "nameSpace"; did you mean "namespace"?'],
    ['zookeeper://a/app,b/app', 'the chroot is given once, after the last server'],
    ['embedded:?servers=many', 'servers must be a whole number from 1 to 9'],
    ['embedded:?severs=3', 'did you mean "servers"?'],
    ['embedded:/data', 'it has no host and no path'],
  ])('refuses %s, and shows no password', async (url, reason) => {
    const message = await messageOf(connectUrl(url as string))
    expect(message).toMatch(/^(TypeError|RangeError): /)
    expect(message).toContain(reason)
    expect(message).not.toMatch(/cret/)
  })

  it('refuses options as connect does', async () => {
    const options = { timeout: 5 } as never
    expect(await messageOf(connectUrl('embedded:', options))).toContain('did you mean "connectTimeoutMs"?')
  })
})

describe('why there was no session in time', () => {
  let stranger: Server
  let port: number

  beforeAll(async () => {
    stranger = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    await new Promise<void>((resolve) => void stranger.listen(0, '127.0.0.1', resolve))
    port = (stranger.address() as AddressInfo).port
  })
  afterAll(() => {
    stranger.close()
  })

  it.each(['zookeeper', 'etcd', 'redis'])('is in the message: nobody listens (%s)', async (scheme) => {
    const url = `${scheme}://bob:secret@127.0.0.1:${await freePort()}`
    const message = await messageOf(connectUrl(url, { connectTimeoutMs: 1_000 }))
    expect(message).toMatch(/^CoordinationError: no session within 1000 ms: .*connect ECONNREFUSED 127\.0\.0\.1/)
    expect(message).not.toContain('secret')
  })

  it('is in the message: another protocol answers', async () => {
    const options = { connectTimeoutMs: 500 }
    const plain = await messageOf(connectUrl(`zookeeper://127.0.0.1:${port}`, options))
    expect(plain).toMatch(/ms: .*what answers at 127\.0\.0\.1:\d+ does not speak ZooKeeper's protocol/)
    const secured = await messageOf(connectUrl(`zookeepers://127.0.0.1:${port}`, options))
    expect(secured).toMatch(/ms: .*127\.0\.0\.1:\d+ does not speak TLS/)
    expect(await messageOf(connectUrl(`etcd://127.0.0.1:${port}`, options))).toMatch(/ms: .*does etcd listen there/)
  })

  it('is in the message: a name that is none, from whatever depth it comes', () => {
    const unknown = new Error('getaddrinfo ENOTFOUND nowhere')
    const all = new AggregateError([unknown, new Error('connect ECONNREFUSED ::1')], '')
    expect(reasonOf(new Error('no server', { cause: all }))).toBe(
      'no server: getaddrinfo ENOTFOUND nowhere: connect ECONNREFUSED ::1',
    )
    expect(reasonOf(new Error(`failed: ${unknown.message}`, { cause: unknown }))).toBe(`failed: ${unknown.message}`)
    expect(reasonOf(new Error('redis://u:p@host\n is down'))).toBe('redis://...@host is down')
    expect(reasonOf(undefined)).toBe('')
    const circle = new Error('round')
    circle.cause = circle
    expect(reasonOf(circle)).toBe('round')
  })
})
