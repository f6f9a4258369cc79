/**
 * The keys of a namespace in a real Redis, which anybody can write.
 *
 * Input     what strangers do to keys: number of the key, of the act, of the field, and a value.
 * Promises  those of stranger-judge.ts, for a session that was there before, and for a new one.
 */
import { Redis } from 'ioredis'
import { redis as redisBackend } from '../../src/backends/redis/index.ts'
import type { Session } from '../../src/core/backend.ts'
import { redisMissing, sessionText, startRedis } from '../../test/engines/redis.ts'
import { STRANGER_ACTS, writeAsStranger } from '../../test/engines/redis-stranger.ts'
import type { StrangerAct } from '../../test/engines/redis-stranger.ts'
import { BYTE_MUTATORS } from '../mutators.ts'
import { ENGINE_LIMITS } from '../target.ts'
import type { Target } from '../target.ts'
import { InputReader, lengthy } from './records.ts'
import { callsOf, judgeCalls, prepare } from './stranger-judge.ts'

const SESSION_MS = 2_000
const ACTS_MAX = 6
/** Keys of a namespace; SID stands for the session's. Findings name them by their place. */
const KEYS = [
  ...['meta', 'sessions', 'events', 'ttl', 'empty', 'n:/', 'n:/a', 'n:/a/b', 'c:/', 'c:/a', 'c:/a/b', 's:SID'],
  ...['e:SID', 'q:SID', 'n:/x', 'w:n/a', 'x', 'w:k/a', 'a:SID', 'unwatched', 'epochs'],
]
const FIELDS = [
  ...['stat', 'data', 'epoch', 'counter', 'lastRequest', 'timeout', 'password', 'x', '', 'told', 'announced', 'seal'],
]
const SEEDS: readonly (readonly [key: string, act: StrangerAct, field: string, value: string])[] = [
  ['n:/a', 'hash', 'stat', '5-1 5-1 5-1 0 0 0 0 0 p 0 0 0 0'],
  ['n:/a', 'hash', 'stat', '5-1 5-1 5-1 NaN 0 0 0 0 p 0 0 0 0'],
  ['n:/a/b', 'hash', 'stat', '5-1 5-1 5-1 0 0 0 0 s5-1 e 0 0 0 0'],
  ['n:/a', 'list', '', 'x'],
  ['c:/a', 'set', '', 'x/y'],
  ['e:SID', 'set', '', '/a'],
  ['s:SID', 'hash', 'lastRequest', '7'],
  ['meta', 'hash', 'counter', '99999999999999999999'],
  ['meta', 'hash', 'epoch', '-1'],
  ['sessions', 'score', '', 's1-1'],
  ['events', 'stream', '', 'C/a'],
  ['ttl', 'score', '', '/a'],
  ['meta', 'gone', '', ''],
  ['w:n/a', 'set', '', 's1-1'],
  ['w:k/a', 'string', '', 'x'],
  ['a:SID', 'score', '', 'n/a'],
  ['s:SID', 'hash', 'told', '5-1-'],
  ['s:SID', 'hash', 'told', '9-9'],
  ['unwatched', 'score', '', 's1-1'],
]

let admin: Redis | null = null
let where = ''
let namespaces = 0

async function open(namespace: string, reported: unknown[]): Promise<Session> {
  const backend = redisBackend(where, { namespace, tickMs: 50 })
  return backend.open({ sessionTimeoutMs: SESSION_MS, onError: (error) => void reported.push(error) })
}

/** The target. */
export const redis: Target = {
  name: 'redis',
  reads: 'keys of a real Redis that strangers have written',
  limits: ENGINE_LIMITS,
  mutators: BYTE_MUTATORS,
  isPure: false,
  missing: redisMissing,
  seeds: () => SEEDS.map(([key, act, field, value]) => {
    const numbers = [KEYS.indexOf(key), STRANGER_ACTS.indexOf(act), FIELDS.indexOf(field)]
    return Uint8Array.of(...numbers, ...lengthy(value))
  }),
  async engine() {
    const server = await startRedis()
    return { url: `redis://127.0.0.1:${server.port}`, close: () => server.close() }
  },
  async start(url) {
    where = url
    admin = new Redis(url)
    await admin.ping()
  },
  async run(input) {
    if (admin === null) throw new Error('the target is not started')
    namespaces += 1
    const namespace = `n${namespaces}`
    const reported: unknown[] = []
    const session = await open(namespace, reported)
    await prepare(session)
    const reader = new InputReader(input)
    for (let acts = 0; acts < ACTS_MAX && !reader.isAtEnd; acts++) {
      const [key, kind, field] = [reader.byte(), reader.byte(), reader.byte()]
      const name = (KEYS[key % KEYS.length] ?? '').replace('SID', sessionText(session.id))
      const act = STRANGER_ACTS[kind % STRANGER_ACTS.length] ?? 'gone'
      const part = FIELDS[field % FIELDS.length] ?? ''
      // Redis may refuse it.
      await writeAsStranger(admin, `{${namespace}}:${name}`, act, part, reader.value()).catch(() => null)
    }
    const another = open(namespace, reported)
    await judgeCalls([...callsOf(session), another], reported)
    const opened = await another.catch(() => null)
    await Promise.all([session.close(), opened?.close()])
    const left = await admin.keys(`{${namespace}}:*`)
    if (left.length > 0) await admin.del(...left)
  },
  async stop() {
    await admin?.quit()
    admin = null
  },
}
