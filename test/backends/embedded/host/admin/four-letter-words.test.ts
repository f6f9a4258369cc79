import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import { FOUR_LETTER_WORDS } from '../../../../../src/backends/embedded/host/admin/word-names.ts'
import { CreateFlag, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { RawClient, answerTo } from '../clients/raw-client.ts'

const alone = embedded({ servers: 1, clientPorts: [0], fourLetterWords: ['*'] })
const three = embedded({ servers: 3, observers: 1, clientPorts: [0, 0, 0, 0], fourLetterWords: ['*'] })
const shy = embedded({ servers: 1, clientPorts: [0], fourLetterWords: ['ruok'] })
let client: RawClient & { session: { sessionId: bigint } }
let sid = ''

beforeAll(async () => {
  await Promise.all([alone, three, shy].map((ensemble) => ensemble.start()))
  client = await RawClient.open(alone.clientPorts[0] ?? 0)
  sid = `0x${client.session.sessionId.toString(16)}`
  const node = { data: Uint8Array.of(1, 2, 3), acl: OPEN_ACL }
  await client.ask(OpCode.create, { ...node, path: '/a', flags: CreateFlag.persistent })
  await client.ask(OpCode.create, { ...node, path: '/e', flags: CreateFlag.ephemeral })
  await client.ask(OpCode.getData, { path: '/a', watch: true })
  await client.ask(OpCode.getChildren, { path: '/', watch: true })
  await client.ask(OpCode.exists, { path: '/none', watch: true })
})

afterAll(async () => {
  await client.drop()
  await Promise.all([alone, three, shy].map((ensemble) => ensemble.close()))
})

function ask(word: string, ensemble = alone, id = 1): Promise<string> {
  return answerTo(ensemble.clientPorts[id - 1] ?? 0, word)
}

/** `key<separator>value` lines. */
function values(text: string, separator: string): ReadonlyMap<string, string> {
  return new Map(text.trim().split('\n').map((line) => {
    const at = line.indexOf(separator)
    return [line.slice(0, at), line.slice(at + separator.length)]
  }))
}

describe('four-letter words', () => {
  it('are executed only if they are enabled; srvr always is', async () => {
    for (const word of FOUR_LETTER_WORDS) {
      const answer = await ask(word, shy)
      const refusal = `${word} is not executed because it is not in the whitelist.\n`
      if (word === 'ruok') expect(answer).toBe('imok')
      else if (word === 'srvr') expect(answer).toContain('Mode: standalone\n')
      else expect(answer).toBe(refusal)
    }
    expect(() => embedded({ fourLetterWords: ['kill'] })).toThrow('kill')
  })

  it('may be followed by the end of a line, or come in pieces', async () => {
    expect(await ask('ruok\n')).toBe('imok')
    const slow = await RawClient.dial(alone.clientPorts[0] ?? 0)
    const chunks: string[] = []
    slow.socket.removeAllListeners('data').on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
    for (const letter of 'isro') {
      slow.socket.write(letter)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await slow.closed
    expect(chunks.join('')).toBe('rw')
  })

  it('are no words in the middle of a session', async () => {
    const other = await RawClient.open(shy.clientPorts[0] ?? 0)
    other.socket.write('ruok')
    await other.closed
    expect(other.messages).toEqual([])
  })

  it('srvr and stat tell where the server stands', async () => {
    const lines = (await ask('srvr')).split('\n')
    expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual([
      'Zookeeper version',
      'Latency min/avg/max',
      'Received',
      'Sent',
      'Connections',
      'Outstanding',
      'Zxid',
      'Mode',
      'Node count',
      '',
    ])
    expect(lines[1]).toMatch(/^Latency min\/avg\/max: \d+\/\d+\.\d{1,4}\/\d+$/)
    expect(values(await ask('srvr'), ': ').get('Node count')).toBe('7')
    const stat = await ask('stat')
    expect(stat).toMatch(/^Zookeeper version: 3\.\d+\.\d+-.*\nClients:\n \/127\.0\.0\.1:\d+\[1\]\(queued=0,recved=6,/)
    expect(stat).toMatch(/sent=6\)\n \/127.*\n\nLatency/)
  })

  it('cons tells of each client', async () => {
    const [line] = (await ask('cons')).split('\n')
    expect(line).toMatch(new RegExp(
      `^ /127\\.0\\.0\\.1:\\d+\\[1\\]\\(queued=0,recved=6,sent=6,sid=${sid},lop=EXIS,est=\\d{13},to=30000,lcxid=0x5,` +
        'lzxid=0x[0-9a-f]+,lresp=\\d+,llat=\\d+,minlat=\\d+,avglat=\\d+,maxlat=\\d+\\)$',
    ))
  })

  it('mntr tells the numbers that monitoring wants', async () => {
    const numbers = values(await ask('mntr'), '\t')
    expect(Object.fromEntries(numbers)).toMatchObject({
      zk_server_state: 'standalone',
      zk_num_alive_connections: '2',
      zk_outstanding_requests: '0',
      zk_znode_count: '7',
      zk_watch_count: '3',
      zk_ephemerals_count: '1',
      zk_global_sessions: '1',
    })
    for (const key of ['avg_latency', 'max_latency', 'min_latency', 'packets_received', 'packets_sent', 'uptime']) {
      expect(Number(numbers.get(`zk_${key}`))).toBeGreaterThanOrEqual(0)
    }
    expect(Number(numbers.get('zk_approximate_data_size'))).toBeGreaterThan(0)
    expect(numbers.get('zk_quorum_size')).toBeUndefined()
  })

  it('mntr tells of the quorum on a server that leads, or follows', async () => {
    const leader = three.leader ?? 0
    expect(Object.fromEntries(values(await ask('mntr', three, leader), '\t'))).toMatchObject({
      zk_server_state: 'leader',
      zk_peer_state: 'leading - broadcast',
      zk_quorum_size: '3',
      zk_learners: '3',
      zk_synced_followers: '2',
      zk_synced_observers: '1',
    })
    const follower = [1, 2, 3].find((id) => id !== leader) ?? 0
    const following = values(await ask('mntr', three, follower), '\t')
    expect(following.get('zk_server_state')).toBe('follower')
    expect(following.get('zk_learners')).toBeUndefined()
    expect(await ask('srvr', three, 4)).toContain('Mode: observer\n')
    expect(await ask('srvr', three, leader)).toContain('Mode: leader\n')
  })

  it('wchs, wchc and wchp tell who watches which nodes', async () => {
    expect(await ask('wchs')).toBe('1 connections watching 2 paths\nTotal watches:2\n')
    expect(await ask('wchc')).toBe(`${sid}\n\t/a\n\t/none\n\n`)
    expect(await ask('wchp')).toBe(`/a\n\t${sid}\n/none\n\t${sid}\n\n`)
  })

  it('dump tells of sessions and what they hold', async () => {
    const date = '\\w{3} \\w{3} \\d\\d \\d\\d:\\d\\d:\\d\\d UTC \\d{4}'
    expect(await ask('dump')).toMatch(new RegExp(
      `^SessionTracker dump:\nSession Sets \\(1\\)/\\(1\\):\n1 expire at ${date}:\n\t${sid}\n` +
        `ephemeral nodes dump:\nSessions with Ephemerals \\(1\\):\n${sid}:\n\t/e\n` +
        `Connections dump:\nConnections Sets \\(2\\)/\\(2\\):\n1 expire at ${date}:\n\tip: /127`,
    ))
    const follower = [1, 2, 3].find((id) => id !== three.leader) ?? 0
    expect(await ask('dump', three, follower)).toContain('SessionTracker dump:\nGlobal Sessions(0):\n')
  })

  it('conf, envi and dirs tell what the server was told', async () => {
    const conf = values(await ask('conf'), '=')
    expect(conf.get('clientPort')).toBe(String(alone.clientPorts[0]))
    expect(conf.get('maxClientCnxns')).toBe('60')
    expect(conf.get('serverId')).toBe('0')
    expect(values(await ask('conf', three, 2), '=').get('serverId')).toBe('2')
    expect(await ask('envi')).toMatch(/^Environment:\nzookeeper\.version=3\./)
    expect(await ask('dirs')).toBe('datadir_size: 0\nlogdir_size: 0\n')
  })

  it('conf and dirs tell where the files of a server are, and how long they are', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-words-'))
    const [dataDir, dataLogDir] = [join(directory, 'data'), join(directory, 'log')]
    const ensemble = embedded({ servers: 3, clientPorts: [0, 0, 0], fourLetterWords: ['*'], dataDir, dataLogDir })
    try {
      await ensemble.start()
      const [data, log] = [dataDir, dataLogDir].map((path) => join(path, '2/version-2')) as [string, string]
      const writer = await RawClient.open(ensemble.clientPorts[1] ?? 0)
      await writer.drop()
      const conf = values(await ask('conf', ensemble, 2), '=')
      expect([conf.get('dataDir'), conf.get('dataLogDir')]).toEqual([data, log])
      const bytes = (path: string): number => {
        return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0)
      }
      expect(bytes(data)).toBeGreaterThan(0)
      expect(bytes(log)).toBeGreaterThan(0)
      expect([conf.get('dataDirSize'), conf.get('dataLogSize')]).toEqual([bytes(data), bytes(log)].map(String))
      expect(await ask('dirs', ensemble, 2)).toBe(`datadir_size: ${bytes(data)}\nlogdir_size: ${bytes(log)}\n`)
    } finally {
      await ensemble.close()
      rmSync(directory, { recursive: true })
    }
  })

  it('mntr counts what a leader proposes and the others hear of it, and the sessions that come back', async () => {
    const leader = three.leader ?? 1
    const numbersOf = async (id: number): Promise<number[]> => {
      const numbers = values(await ask('mntr', three, id), '\t')
      const counts = ['proposal_count', 'learner_proposal_received_count', 'connection_revalidate_count']
      const names = [...counts, 'cnt_leader_unavailable_time', 'cnt_follower_sync_time', 'cnt_observer_sync_time']
      return names.map((name) => Number(numbers.get(`zk_${name}`)))
    }
    const before = await Promise.all([1, 2, 3, 4].map(numbersOf))
    const writer = await RawClient.open(three.clientPorts[leader - 1] ?? 0)
    for (let i = 0; i < 3; i++) await writer.ask(OpCode.setData, { path: '/', data: Uint8Array.of(i), version: -1 })
    await writer.drop()
    const { sessionId, passwd } = writer.session
    const mover = await RawClient.open(three.clientPorts[3] ?? 0, { sessionId, passwd })
    const after = await Promise.all([1, 2, 3, 4].map(numbersOf))
    for (const [index, now] of after.entries()) {
      const proposed = now.slice(0, 3).map((value, at) => value - (before[index]?.[at] ?? NaN))
      const id = index + 1
      expect([id, ...proposed]).toEqual(id === leader ? [id, 4, 0, 0] : [id, 0, 4, id === 4 ? 1 : 0])
      expect(now.slice(3)).toEqual(id === leader ? [1, 0, 0] : id === 4 ? [0, 0, 1] : [0, 1, 0])
    }
    await mover.drop()
  })

  it('are answered by a server that does not serve: ruok with imok, others that it does not', async () => {
    const ports = three.clientPorts
    const [down, other] = [1, 2, 3].filter((id) => id !== three.leader)
    three.crash(down ?? 0)
    const looking = new Promise<void>((resolve) => {
      three.onEvent(({ server, event }) => {
        if (server === other && event.type === 'looking') resolve()
      })
    })
    three.crash(three.leader ?? 0)
    await looking
    expect(three.clientPorts).toEqual(ports)
    expect(await ask('ruok', three, other)).toBe('imok')
    expect(await ask('isro', three, other)).toBe('null')
    for (const word of ['srvr', 'stat', 'mntr', 'conf', 'cons', 'dump', 'wchs', 'dirs', 'crst', 'srst']) {
      expect(await ask(word, three, other)).toBe('This ZooKeeper instance is not currently serving requests\n')
    }
  })

  it('crst and srst begin to count again', async () => {
    expect(await ask('crst')).toBe('Connection stats reset.\n')
    expect(await ask('cons')).toContain('recved=0,sent=0,')
    expect(await ask('srst')).toBe('Server stats reset.\n')
    const numbers = values(await ask('srvr'), ': ')
    expect(Number(numbers.get('Received'))).toBeLessThan(5)
    expect(numbers.get('Latency min/avg/max')).toBe('0/0.0/0')
  })
})
