/** `quorate status`: ensembles of ours, and servers that say anything. */
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import { runStatus } from '../../src/cli/status-command.ts'
import { freePort } from '../engines/process.ts'

const three = embedded({ servers: 3, observers: 1, clientPorts: [0, 0, 0, 0], fourLetterWords: ['mntr'] })
const alone = embedded({ servers: 1, clientPorts: [0] })
beforeAll(() => Promise.all([three.start(), alone.start()]))
afterAll(() => Promise.all([three.close(), alone.close()]))

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Told {
  readonly status: number
  readonly out: string
}

async function told(...args: string[]): Promise<Told> {
  let out = ''
  const output = { out: (text: string) => void (out += text), err: (text: string) => void (out += text) }
  const status = await runStatus(args, output, new AbortController().signal)
  return { status, out }
}

async function json(...args: string[]): Promise<{ serves: boolean; servers: Record<string, unknown>[] }> {
  const { out } = await told(...args, '--json')
  expect(out).toMatch(/^[^\n]+\n$/)
  return JSON.parse(out) as { serves: boolean; servers: Record<string, unknown>[] }
}

/** A server that answers words; null: never. */
async function answering(words: Record<string, string | null>): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (word) => {
      const answer = words[word.toString()]
      if (answer !== null) socket.end(answer ?? '')
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function srvr(zxid: string, mode: string): string {
  const version = '3.9.2-e454e8c7283100c7caec6dcae2bc82aaecb63023, built on 2024-02-12 20:59 UTC'
  return `Zookeeper version: ${version}\nLatency min/avg/max: 0/0.1234/7\nReceived: 4\nSent: 3\nConnections: 2\n` +
    `Outstanding: 0\nZxid: ${zxid}\nMode: ${mode}\nNode count: 9\n`
}

function sizes(data: number, log: number): string {
  return `datadir_size: ${data}\nlogdir_size: ${log}\n`
}

const REFUSED = 'mntr is not executed because it is not in the whitelist.\n'

describe('quorate status', () => {
  it('shows each server of an ensemble in a table', async () => {
    const { status, out } = await told(three.clientPorts.map((port) => `127.0.0.1:${port}`).join(','))
    const [heads, ...rows] = out.trimEnd().split('\n').map((line) => line.split(/ {2,}/))
    expect(heads).toEqual([
      'SERVER', 'ROLE', 'EPOCH', 'ZXID', 'LAG', 'SESSIONS', 'CLIENTS', 'LATENCY', 'NODES', 'DISK', 'VERSION',
    ])
    const { leader } = three
    expect(rows.map(([server, role]) => [server, role])).toEqual([1, 2, 3, 4].map((id) => {
      const role = id === leader ? 'leader' : id === 4 ? 'observer' : 'follower'
      return [`127.0.0.1:${three.clientPorts[id - 1]}`, role]
    }))
    for (const row of rows) expect(row.slice(4, 6)).toEqual(['0', '0'])
    // Nothing is written in this epoch yet.
    const epochs = three.status().map(({ epoch }) => [String(epoch), `0x${epoch.toString(16)}00000000`])
    expect(rows.map((row) => row.slice(2, 4))).toEqual(epochs)
    expect(status).toBe(0)
  })

  it('tells the same as JSON, from ZooKeeper too, with the lag behind the most advanced', async () => {
    const monitor = 'zk_version\t3.9.2\nzk_global_sessions\t12\n'
    const [one, two, three] = [
      await answering({ srvr: srvr('0x200000007', 'leader'), mntr: monitor, dirs: sizes(7, 67_108_880) }),
      await answering({ srvr: srvr('0x200000003', 'follower'), mntr: REFUSED, dirs: REFUSED }),
      await answering({ srvr: srvr('0x1ffffffff', 'observer'), mntr: REFUSED, dirs: sizes(888, 888) }),
    ]
    const { serves, servers: rows } = await json([one, two, three].join(','))
    expect(serves).toBe(true)
    expect(rows[0]).toEqual({
      server: one,
      role: 'leader',
      epoch: 2,
      zxid: '0x200000007',
      lag: 0,
      sessions: 12,
      connections: 2,
      latencyMs: { min: 0, avg: 0.1234, max: 7 },
      nodes: 9,
      version: '3.9.2-e454e8c7283100c7caec6dcae2bc82aaecb63023',
      error: null,
      diskBytes: 67_108_887,
    })
    expect(rows[1]).toMatchObject({ role: 'follower', lag: 4, sessions: null, diskBytes: null })
    expect(rows[2]).toMatchObject({ role: 'observer', epoch: 1, lag: null, diskBytes: 888 })
    const { out } = await told([one, two, three].join(','))
    expect(out).toMatch(/follower {2}2 +0x200000003 +4 +- /)
    expect(out).toMatch(/observer {2}1 +0x1ffffffff +older epoch /)
    expect(['67.1 MB', '-', '888 B'].every((size) => out.includes(`  ${size}  `))).toBe(true)
  })

  it('counts nothing as missing on followers of a ZooKeeper whose leader has not written yet', async () => {
    const list = [
      await answering({ srvr: srvr('0x200000000', 'leader'), mntr: REFUSED }),
      await answering({ srvr: srvr('0x100000007', 'follower'), mntr: REFUSED }),
      await answering({ srvr: srvr('0x100000005', 'observer'), mntr: REFUSED }),
      await answering({ srvr: srvr('0x0', 'observer'), mntr: REFUSED }),
    ]
    const { servers: rows } = await json(list.join(','))
    expect(rows.map(({ epoch, lag }) => [epoch, lag])).toEqual([[2, 0], [1, 0], [1, 2], [0, null]])
  })

  it('shows - for what a server does not tell', async () => {
    const { status, out } = await told(`127.0.0.1:${alone.clientPorts[0]}`)
    expect(out).toMatch(/ standalone +\d+ +0x[\da-f]+ +0 +- +\d/)
    expect(status).toBe(0)
  })

  it('has a row with the reason for a server that is not reached, is silent, or serves nobody', async () => {
    const gone = `127.0.0.1:${await freePort()}`
    const rest = [
      await answering({ srvr: null, mntr: null }),
      await answering({ srvr: 'This ZooKeeper instance is not currently serving requests\n' }),
      await answering({}),
      await answering({ srvr: srvr('0x100000001', 'follower'), mntr: REFUSED }),
    ]
    const list = [gone, ...rest].join(',')
    const { status, out } = await told(list)
    const lines = out.trimEnd().split('\n').slice(1)
    expect(lines.map((line) => line.replace(/^\S+ +/, ''))).toEqual([
      expect.stringMatching(/refused/i),
      'no answer within 3000 ms',
      'This ZooKeeper instance is not currently serving requests',
      'it closed the connection without an answer',
      expect.stringMatching(/^follower/),
    ])
    expect(status).toBe(1)
  })

  it('makes visible what a server says', async () => {
    const evil = await answering({ srvr: '\u001b[2J\u202eevil\n' })
    const mode = await answering({ srvr: srvr('0x1', 'lea\u001b[31mder') })
    const { out, status } = await told(`${evil},${mode}`)
    expect(out).toContain(String.raw`\x1b[2J\u{202e}evil`)
    expect(out).toContain(String.raw`lea\x1b[31mder`)
    expect(out).not.toMatch(/[\u001b\u202e]/)
    expect(status).toBe(1)
  })

  it('goes on with --watch until a signal', async () => {
    const stop = new AbortController()
    const rounds: string[] = []
    const output = {
      out: (text: string) => {
        if (rounds.push(text) === 3) stop.abort()
      },
      err: () => undefined,
    }
    const list = `127.0.0.1:${alone.clientPorts[0]}`
    expect(await runStatus([list, '--watch', '0.1', '--json'], output, stop.signal)).toBe(0)
    expect(rounds).toHaveLength(3)
  })

  it('refuses what it does not understand', async () => {
    const wrong: readonly (readonly [readonly string[], string])[] = [
      [[], 'status needs host:port'],
      [['a:1', 'b:2'], 'status needs host:port'],
      [['a'], 'a server must be host:port, such as 127.0.0.1:2181, got "a"'],
      [['a:1,b:0'], 'got "b:0"'],
      [['a:1', '--watch', '0'], '--watch must be seconds from 0.1'],
      [['a:1', '--jso'], "Unknown option '--jso'"],
    ]
    for (const [args, message] of wrong) await expect(told(...args)).rejects.toThrow(message)
    expect((await told('--help')).out).toMatch(/^usage: quorate status/)
  })
})
