/** The plugin for Fastify, in the real framework. */
import Fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { describe, expect, it } from 'vitest'
import { CoordinationError, FairLock } from 'quorate'
import { quoratePlugin } from 'quorate/fastify'
import type { QuoratePluginOptions } from 'quorate/fastify'
import { zookeeper } from 'quorate/zookeeper'
import { POLL, closeAfterEach, closeLater, newClient, newEnsemble } from './rig.ts'

closeAfterEach()

async function start(
  options: QuoratePluginOptions,
  routes: (fastify: FastifyInstance) => unknown = () => undefined,
): Promise<FastifyInstance> {
  const fastify = Fastify()
  closeLater(() => fastify.close())
  await fastify.register(quoratePlugin, options)
  await routes(fastify)
  await fastify.ready()
  return fastify
}

describe('a route with a lock', () => {
  it('runs one handler at a time, of all servers, under a lease', async () => {
    const backend = newEnsemble()
    let running = 0
    let most = 0
    const routes = (fastify: FastifyInstance): void => {
      fastify.get<{ Params: { id: string } }>('/orders/:id', {
        config: { lock: { path: ({ params }) => `/orders/${(params as { id: string }).id}` } },
      }, async ({ lease }) => {
        most = Math.max(most, running += 1)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        return { token: String(lease?.token), state: lease?.state }
      })
    }
    const servers = [await start({ backend }, routes), await start({ backend }, routes)]
    const answers = await Promise.all([0, 1, 2, 3].map(async (index) => servers[index % 2]?.inject('/orders/7')))
    expect(answers.map((answer) => answer?.statusCode)).toEqual([200, 200, 200, 200])
    expect(new Set(answers.map((answer) => answer?.json<{ token: string }>().token)).size).toBe(4)
    expect([most, answers[0]?.json()]).toMatchObject([1, { state: 'held' }])
    // Fastify makes a route for HEAD of it, whose handler is the same.
    expect((await servers[0]?.inject({ method: 'HEAD', url: '/orders/7' }))?.statusCode).toBe(200)
  })

  it('answers 423 while others have it, 503 where it is lost, and leaves errors of the handler alone', async () => {
    const backend = newEnsemble()
    const admin = await newClient(backend)
    const fastify = await start({ backend }, (server) => {
      const config = { lock: { path: '/locks/a' } }
      server.post('/impatient', { config: { lock: { ...config.lock, waitMs: 30 } } }, () => Promise.resolve(''))
      server.post('/evicted', { config }, async ({ lease }) => {
        if (lease === null) throw new Error('a route with a lock')
        await new FairLock(admin, '/locks/a').evict(lease)
        await expect.poll(() => lease.signal.aborted, POLL).toBe(true)
      })
      server.post('/failing', { config }, () => {
        throw new CoordinationError('TIMEOUT', 'of the handler', { outcome: 'aborted' })
      })
      server.post('/plain', ({ lease }) => Promise.resolve({ lease }))
    })
    const lease = await new FairLock(admin, '/locks/a').acquire()
    const busy = await fastify.inject({ method: 'POST', url: '/impatient' })
    expect([busy.statusCode, busy.json()]).toMatchObject([423, { code: 'TIMEOUT' }])
    await lease.release()
    const lost = await fastify.inject({ method: 'POST', url: '/evicted' })
    expect([lost.statusCode, lost.json()]).toMatchObject([503, { code: 'LEASE_LOST' }])
    const failing = await fastify.inject({ method: 'POST', url: '/failing' })
    expect([failing.statusCode, failing.json()]).toMatchObject([500, { message: 'of the handler' }])
    expect((await fastify.inject({ method: 'POST', url: '/plain' })).json()).toEqual({ lease: null })
    expect(await new FairLock(admin, '/locks/a').contenders()).toEqual([])
  })

  it('waits no longer for a requester that has gone', async () => {
    const backend = newEnsemble()
    const admin = await newClient(backend)
    const fastify = await start({ backend }, (server) => {
      server.get('/', { config: { lock: { path: '/locks/a' } } }, () => Promise.resolve('done'))
    })
    const lock = new FairLock(admin, '/locks/a')
    const lease = await lock.acquire()
    const url = await fastify.listen({ port: 0, host: '127.0.0.1' })
    const leaving = new AbortController()
    const request = fetch(url, { signal: leaving.signal }).catch(() => 'gone')
    await expect.poll(async () => (await lock.contenders()).length, POLL).toBe(2)
    leaving.abort()
    expect(await request).toBe('gone')
    await expect.poll(async () => (await lock.contenders()).length, POLL).toBe(1)
    await lease.release()
    expect(await (await fetch(url)).text()).toBe('done')
  })
})

describe('the plugin', () => {
  it('gives the whole server a client, and closes it', async () => {
    const fastify = await start({ backend: newEnsemble(), connect: { namespace: '/shop' } })
    const { quorate } = fastify
    expect([quorate.namespace, quorate.state.status]).toEqual(['/shop', 'connected'])
    await fastify.close()
    expect(quorate.state.status).toBe('closed')
  })

  it('leaves a client alone that it was given', async () => {
    const client = await newClient(newEnsemble())
    const fastify = await start({ client })
    expect(fastify.quorate).toBe(client)
    await fastify.close()
    expect(client.state.status).toBe('connected')
  })

  it('refuses wrong options and locks, and fails to start without servers', async () => {
    await expect(start({})).rejects.toThrow('quoratePlugin needs either backend')
    await expect(start({ backed: 1 } as object)).rejects.toThrow('backend')
    const backend = newEnsemble()
    await expect(start({ backend, client: await newClient(backend) })).rejects.toThrow('client excludes backend')
    const lockOf = (lock: object) => (fastify: FastifyInstance) =>
      fastify.get('/', { config: { lock: lock as { path: string } } }, () => Promise.resolve(''))
    await expect(start({ backend }, lockOf({ path: 'a' }))).rejects.toThrow('path must be a node\'s path')
    await expect(start({ backend }, lockOf({ path: 5 }))).rejects.toThrow('must be a string or a function, got 5')
    await expect(start({ backend }, lockOf({ path: '/a', wait: 5 }))).rejects.toThrow('waitMs')
    await expect(start({ backend: zookeeper('127.0.0.1:1'), connect: { connectTimeoutMs: 50 } })).rejects
      .toMatchObject({ code: 'TIMEOUT' })
  })
})
