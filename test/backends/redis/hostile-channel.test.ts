/** Messages that any other client of a Redis can publish on a namespace's channel, and their effect. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigCenter, connect } from '../../../src/index.ts'
import type { Backend, Client } from '../../../src/index.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { redisMissing, startRedis } from '../../engines/redis.ts'
import type { RedisServer } from '../../engines/redis.ts'

const NAMESPACE = 'hostile'
const CHANNELS = `{${NAMESPACE}}:events:`
const PATIENCE_MS = 20_000
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe.skipIf(redisMissing !== null)(`strangers on the channel of a real Redis${reason}`, { timeout: 60_000 }, () => {
  let server: RedisServer
  let clients: Client[]
  let errors: unknown[]
  let backend: Backend

  beforeEach(async () => {
    server = await startRedis()
    backend = redis(`redis://127.0.0.1:${server.port}`, { namespace: NAMESPACE, tickMs: 60_000 })
    clients = []
    errors = []
  })
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()))
    await server.close()
  })

  async function client(): Promise<Client> {
    const opened = await connect(backend, { onError: (error) => void errors.push(error) })
    clients.push(opened)
    return opened
  }
  /** Publishes on the channels of all sessions. */
  const publish = (messages: readonly string[]): Promise<unknown> => server.ask(async (stranger) => {
    const sids = await stranger.zrange(`{${NAMESPACE}}:sessions`, 0, -1)
    const all = sids.flatMap((sid) => messages.map((message) => stranger.publish(CHANNELS + sid, message)))
    expect(Math.min(...(await Promise.all(all)))).toBe(1)
  })
  /** How many scripts the server has done. */
  const scriptsDone = async (): Promise<number> => {
    const info = await server.ask((admin) => admin.info('commandstats'))
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1] ?? 0)
  }
  /** The place of the last transaction, and of one so many after it. */
  const placeAfter = async (count: number): Promise<string> => {
    const [epoch, counter] = await server.ask((admin) => admin.hmget(`{${NAMESPACE}}:meta`, 'epoch', 'counter'))
    return `${epoch ?? ''}-${Number(counter) + count}`
  }

  it('who publishes what is no transaction costs a look, and is reported once', async () => {
    const [writer, reader] = [await client(), await client()]
    const config = new ConfigCenter(reader, '/config')
    const values: unknown[] = []
    const unsubscribe = config.subscribe(({ value }) => void values.push(value))
    await new ConfigCenter(writer, '/config').publish(1)
    await until(() => values.at(-1) === 1, 'the first value comes')
    const odd = ['hello', '', '\n', '1', '-', 'NaN-NaN s 5-1\nC/a', '5-6 s 5-5\nQ/a', '5-6 s\nC/a', '\u0000', '{}']
    const bad = [...odd, `${'9'.repeat(400)}-1 s 5-1\nC/a`, '5-6 s 5-5\n?']
    for (let round = 0; round < 20; round++) await publish(bad)
    await new ConfigCenter(writer, '/config').publish(2)
    await until(() => values.at(-1) === 2, 'the second value comes')
    unsubscribe()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code: 'PROTOCOL_VIOLATION', outcome: 'corrupt' })
    expect((errors[0] as Error).message).toContain(CHANNELS)
  })

  it('a place in the future does not make anybody ask again and again, nor miss what comes', async () => {
    const one = await client()
    await one.create('/a', 'x')
    let events: string[] = []
    const watch = async (): Promise<void> => {
      await one.get('/a', { watch: ({ type }) => void events.push(type) })
    }
    await watch()
    const [next, far] = [await placeAfter(1), await placeAfter(1_000_000)]
    const [epoch] = next.split('-')
    const other = `${Number(epoch) + 1_000_000}-5`
    const before = await placeAfter(0)
    const places = [far, other, next, '4398046511103-999999999999']
    await publish(places.map((place) => `${place} stranger ${before}\nC/b`))
    await until(async () => (await one.exists('/a')) !== null, 'they were heard')
    const done = await scriptsDone()
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await scriptsDone()) - done).toBeLessThan(10)
    await one.set('/a', 'y')
    await until(() => events.join() === 'changed', 'the watch fires')
    events = []
    await watch()
    await one.set('/a', 'z')
    await until(() => events.join() === 'changed', 'the next watch fires')
    const { czxid } = (await one.create('/b', '')).stat
    expect(czxid).toBeLessThan(1n << 62n)
    expect(czxid >> 20n).toBe(BigInt(epoch ?? 0))
    // Whoever comes later is not led astray either.
    const late = await client()
    expect((await late.create('/c', '')).stat.czxid >> 20n).toBe(BigInt(epoch ?? 0))
    expect(errors).toEqual([])
  })

  it('nobody is made to believe that a session is over', async () => {
    const one = await client()
    const states: string[] = []
    one.onState(({ status }) => void states.push(status))
    const sid = await server.ask(async (admin) => (await admin.zrange(`{${NAMESPACE}}:sessions`, 0, -1))[0] ?? '')
    await publish([`${await placeAfter(1)} stranger ${await placeAfter(0)}\nE${sid}`])
    await one.create('/e', '', { mode: 'ephemeral' })
    expect(states).toEqual([])
  })
})
