/** The four-letter words of a real ZooKeeper and of ours, side by side: the same lines with other values. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import { OpCode } from '../../../../../src/backends/wire/codes.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../../../engines/zookeeper.ts'
import type { ZooKeeper } from '../../../../engines/zookeeper.ts'
import { RawClient, answerTo } from '../clients/raw-client.ts'

/** Those that the reference does not have. */
const OUR_NUMBERS = [
  'zk_auth_attempts_failed_count', 'zk_client_error_count', 'zk_memory_used_percent', 'zk_outstanding_request_bytes',
  'zk_sessions_rejected', 'zk_tls_handshakes_slowed',
]
/** Those of the table of limits. */
const OUR_LIMIT = /^zk_limit_/
const skip = reasonToSkipZooKeeper()
const START_MS_MAX = 120_000

/** The first of the reference's counters; what comes before it are the numbers of a server, which we have all. */
const FIRST_COUNTER = 'zk_proposal_count'
/** Of its counters, those that count something which is here too. */
const COUNTERS = [
  'zk_connection_rejected',
  'zk_sessionless_connections_expired',
  'zk_looking_count',
  'zk_bytes_received_count',
  'zk_connection_request_count',
  'zk_stale_sessions_expired',
  'zk_proposal_count',
  'zk_learner_proposal_received_count',
  'zk_response_bytes',
  'zk_connection_revalidate_count',
  'zk_request_throttle_wait_count',
  'zk_throttled_ops',
]

/** Of the summaries, those that are here too; `fsynctime` where there is a disk. */
const SUMMARIES = [
  '(?:read|update)latency', 'snapshottime', 'election_time', '(?:leader_)?unavailable_time',
  '(?:follower|observer)_sync_time', 'dbinittime', 'startup_(?:snap|txns)_load\\w*',
]
const SUMMARY = new RegExp(`_(?:${SUMMARIES.join('|')})$`)

const alone = embedded({ servers: 1, clientPorts: [0], fourLetterWords: ['*'] })
const three = embedded({ servers: 3, clientPorts: [0, 0, 0], fourLetterWords: ['*'] })

afterAll(async () => {
  await Promise.all([alone, three].map((ensemble) => ensemble.close()))
})

/** The key of each line. */
function keys(text: string, separator: RegExp): string[] {
  return text.split('\n').map((line) => line.split(separator)[0] ?? '')
}

/** Those of `mntr` that should be here too, in their order. */
function expectedNumbers(text: string): string[] {
  const all = keys(text.trim(), /\t/)
  const counters = all.slice(all.indexOf(FIRST_COUNTER))
  return [...all.slice(0, all.indexOf(FIRST_COUNTER)), ...counters.filter((key) => COUNTERS.includes(key))]
}

/** Those of its summaries that are here too; their order there is that of a hash table. */
function summaryNumbers(text: string): string[] {
  return keys(text.trim(), /\t/).filter((key) => SUMMARY.test(key)).sort()
}

describe.skipIf(skip !== null)(`the words of a real ZooKeeper${skip === null ? '' : ` (${skip})`}`, () => {
  let realOne: ZooKeeper
  let realThree: ZooKeeper

  beforeAll(async () => {
    await Promise.all([alone, three].map((ensemble) => ensemble.start()))
    realOne = await startZooKeeper()
    realThree = await startZooKeeper({ servers: 3 })
  }, START_MS_MAX)

  afterAll(async () => {
    await realOne.stop()
    await realThree.stop()
  })

  const askReal = async (word: string): Promise<string> => realOne.servers[0]?.ask(word) ?? ''
  const askOurs = (word: string): Promise<string> => answerTo(alone.clientPorts[0] ?? 0, word)
  const askRealLeader = async (word: string): Promise<string> => (await realThree.leader()).ask(word)
  const askOurLeader = (word: string): Promise<string> => {
    return answerTo(three.clientPorts[(three.leader ?? 1) - 1] ?? 0, word)
  }
  const askRealFollower = async (word: string): Promise<string> => {
    const leader = await realThree.leader()
    return (await realThree.servers.find(({ id }) => id !== leader.id)?.ask(word)) ?? ''
  }
  const askOurFollower = (word: string): Promise<string> => {
    const id = [1, 2, 3].find((myid) => myid !== three.leader) ?? 0
    return answerTo(three.clientPorts[id - 1] ?? 0, word)
  }

  it.each([
    ['a server on its own', askReal, askOurs],
    ['a leader', askRealLeader, askOurLeader],
    ['a follower', askRealFollower, askOurFollower],
  ] as const)('mntr has the numbers of %s, in their order', async (_role, real, ours) => {
    const numbers = keys((await ours('mntr')).trim(), /\t/)
    const theirs = await real('mntr')
    const isOther = (name: string): boolean => {
      return OUR_NUMBERS.includes(name) || OUR_LIMIT.test(name) || SUMMARY.test(name)
    }
    expect(numbers.filter((name) => !isOther(name))).toEqual(expectedNumbers(theirs))
    expect(numbers.filter((name) => SUMMARY.test(name)).sort()).toEqual(summaryNumbers(theirs))
    expect(numbers).toEqual(expect.arrayContaining(OUR_NUMBERS))
  })

  it('gtmk and stmk tell and set the same number', async () => {
    const number = Buffer.alloc(8)
    number.writeBigInt64BE(-7n)
    for (const word of ['gtmk', `stmk${number.toString('latin1')}`, 'gtmk', 'stmk\0\0\0\0\0\0\x01\x32', 'gtmk']) {
      expect([word, await askOurs(word)]).toEqual([word, await askReal(word)])
    }
  })

  it.each(['conf', 'srvr'])('%s has the same lines on a server on its own, a leader and a follower', async (word) => {
    const separator = word === 'conf' ? /=/ : /:/
    expect(keys(await askOurs(word), separator)).toEqual(keys(await askReal(word), separator))
    expect(keys(await askOurLeader(word), separator)).toEqual(keys(await askRealLeader(word), separator))
    expect(keys(await askOurFollower(word), separator)).toEqual(keys(await askRealFollower(word), separator))
  })

  it('/zookeeper/config names the same members, and ours their ports for clients', async () => {
    const configOf = async (port: number): Promise<string[]> => {
      const client = await RawClient.open(port)
      const { body } = await client.ask(OpCode.getData, { path: '/zookeeper/config', watch: false })
      await client.drop()
      const data = body !== null && 'data' in body ? (body.data ?? []) : []
      return Buffer.from(data).toString().split('\n')
    }
    const real = await configOf(realThree.servers[0]?.port ?? 0)
    const [first = '', ...others] = await configOf(three.clientPorts[0] ?? 0)
    expect([first, ...others].map((line) => line.split('=')[0])).toEqual(real.map((line) => line.split('=')[0]))
    expect(first).toBe(`server.1=127.0.0.1:0:0:participant;127.0.0.1:${three.clientPorts[0]}`)
    expect(others.at(-1)).toBe(real.at(-1))
    expect(await configOf(alone.clientPorts[0] ?? 0)).toEqual(await configOf(realOne.servers[0]?.port ?? 0))
  })

  it('isro, ruok, dirs, wchs, crst and srst say the same', async () => {
    for (const word of ['isro', 'ruok', 'wchs', 'crst', 'srst']) expect(await askOurs(word)).toBe(await askReal(word))
    expect(keys(await askOurs('dirs'), /:/)).toEqual(keys(await askReal('dirs'), /:/))
  })
})
