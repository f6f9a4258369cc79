/** A Redis that asks who is there: TLS, a password, a user with few permissions. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, FairLock } from '../../../src/index.ts'
import type { Backend, Client } from '../../../src/index.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import type { RedisTarget } from '../../../src/backends/redis/index.ts'
import { redisTlsMissing, startTlsRedis } from '../../engines/redis-deployments.ts'
import type { TlsRedis } from '../../engines/redis-deployments.ts'
import { redisMissing, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'

const NAMESPACE = 'secured'
const skipped = (reason: string | null): string => (reason === null ? '' : ` (skipped: ${reason})`)

const clients: Client[] = []
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

const secured = (target: RedisTarget): Backend => redis(target, { namespace: NAMESPACE })

async function client(target: RedisTarget): Promise<Client> {
  const connected = await connect(secured(target))
  clients.push(connected)
  return connected
}

/** One attempt, as `connect()` makes them one after the other. */
const attempt = (target: RedisTarget): Promise<unknown> => secured(target).open({ onError: () => undefined })

/** Two clients hand a lock over, which takes scripts, the channel of changes, and watches. */
async function handOver(target: RedisTarget): Promise<void> {
  const [one, other] = [await client(target), await client(target)]
  const first = await new FairLock(one, '/lock').acquire()
  const next = new FairLock(other, '/lock').acquire()
  await first.release()
  const second = await next
  expect(second.token > first.token).toBe(true)
  await second.release()
}

describe.skipIf(redisTlsMissing !== null)(`a Redis with TLS${skipped(redisTlsMissing)}`, () => {
  let engine: TlsRedis
  beforeAll(async () => {
    engine = await startTlsRedis()
  })
  afterAll(() => engine.close())
  const at = (): { host: string; port: number } => ({ host: '127.0.0.1', port: engine.server.port })

  it('takes a client that trusts its authority and shows a certificate', async () => {
    const { ca, cert, key } = engine
    await handOver({ ...at(), tls: { ca, cert, key } })
  })

  it('is not trusted without its authority, and nothing was sent', async () => {
    const { cert, key } = engine
    const message = expect.stringContaining('certificate') as string
    const failure = { code: 'CONNECTION_LOSS', outcome: 'not-sent', message }
    await expect(attempt({ ...at(), tls: { cert, key } })).rejects.toMatchObject(failure)
    await expect(attempt(`rediss://127.0.0.1:${engine.server.port}`)).rejects.toMatchObject(failure)
  })

  it('refuses a client without a certificate, and one that speaks no TLS', async () => {
    const failure = { code: 'CONNECTION_LOSS', outcome: 'not-sent' }
    await expect(attempt({ ...at(), tls: { ca: engine.ca } })).rejects.toMatchObject(failure)
    await expect(attempt(`redis://127.0.0.1:${engine.server.port}`)).rejects.toMatchObject(failure)
  })
})

describe.skipIf(redisMissing !== null)(`a Redis with users${skipped(redisMissing)}`, () => {
  const PASSWORD = 'swordfish'
  /** The commands that a user needs, by docs/backends/redis.md. */
  const COMMANDS =
    '+eval +evalsha +subscribe +publish +info +time +hget +hset +hincrby +del +sadd +srem +smembers ' +
    '+zadd +zrem +zscore +zrange +zrangebyscore +xadd +xrevrange'
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ args: ['--requirepass', PASSWORD], access: { password: PASSWORD } })
    await server.ask(async (admin) => {
      const rights = ['on', `>${PASSWORD}`, `~{${NAMESPACE}}*`, `&{${NAMESPACE}}:*`]
      await admin.call('ACL', 'SETUSER', 'app', ...rights, ...COMMANDS.split(' '))
      await admin.call('ACL', 'SETUSER', 'reader', ...rights, '+subscribe')
      await admin.call('ACL', 'SETUSER', 'neighbour', 'on', `>${PASSWORD}`, '~{other}*', '&{other}:*', '+@all')
    })
  })
  afterAll(() => server.close())
  const url = (who: string): string => `redis://${who}127.0.0.1:${server.port}`

  it('takes the password, and a user with no more permissions than are documented', async () => {
    await handOver(url(`:${PASSWORD}@`))
    await handOver(url(`app:${PASSWORD}@`))
    await handOver({ host: '127.0.0.1', port: server.port, username: 'app', password: PASSWORD })
  })

  it.each([
    ['no password', ''],
    ['a wrong one', ':sardine@'],
    ['a user that may run no scripts', `reader:${PASSWORD}@`],
    ['a user of another namespace', `neighbour:${PASSWORD}@`],
  ])('refuses %s with NO_AUTH, and no password is told', async (_, who) => {
    const failure: unknown = await client(url(who)).then(() => null, (error: unknown) => error)
    expect(failure).toMatchObject({ code: 'NO_AUTH', outcome: 'rejected' })
    const told = failure instanceof Error ? `${failure.message} ${JSON.stringify(failure)} ${failure.stack ?? ''}` : ''
    expect(told).not.toMatch(/swordfish|sardine/)
  })
})
