/** `quorate doctor`: sound set-ups, and each finding with what leads to it. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { ServerAddress } from '../../src/backends/client/server-address.ts'
import { runDoctor } from '../../src/cli/doctor-command.ts'
import { CHECKS } from '../../src/cli/doctor/finding.ts'
import type { Checked } from '../../src/cli/doctor/finding.ts'
import { checkLocks } from '../../src/cli/doctor/lock-check.ts'
import { checkServers } from '../../src/cli/doctor/server-checks.ts'
import { checkSession } from '../../src/cli/doctor/session-checks.ts'
import { checkTree } from '../../src/cli/doctor/tree-checks.ts'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { freePort } from '../engines/process.ts'
import { TestShell } from './shell-rig.ts'

const WORDS = ['mntr', 'ruok']
const three = embedded({ servers: 3, clientPorts: [0, 0, 0], fourLetterWords: WORDS })
const alone = embedded({ servers: 1, clientPorts: [0] })
const signal = new AbortController().signal
let client: Client

beforeAll(async () => {
  await Promise.all([three.start(), alone.start()])
  client = await connect(alone)
})

afterAll(async () => {
  await client.close()
  await Promise.all([three.close(), alone.close()])
})

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
  return { status: await runDoctor(args, {}, output, signal), out }
}

const urlOf = (ports: readonly number[]): string => ports.map((port) => `127.0.0.1:${port}`).join(',')

/** The findings of one check, each as its level and what was found. */
function found(checks: readonly Checked[], name: string): string[] {
  const { findings = [] } = checks.find(({ check }) => check === name) ?? {}
  for (const { why, todo } of findings) expect([why.length > 10, todo.length > 10]).toEqual([true, true])
  return findings.map(({ level, what }) => `${level}: ${what}`)
}

/** A server that answers words. */
async function answering(words: Readonly<Record<string, string>>): Promise<ServerAddress> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (word) => void socket.end(words[word.toString()] ?? ''))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

function srvr(zxid: string, mode: string, version = '3.9.2'): string {
  return `Zookeeper version: ${version}, built on 2024-02-12 20:59 UTC\nLatency min/avg/max: 0/1/7\n` +
    `Connections: 2\nZxid: ${zxid}\nMode: ${mode}\nNode count: 9\n`
}

describe('quorate doctor', () => {
  it('has nothing to say of a sound ensemble', async () => {
    const { status, out } = await told(urlOf(three.clientPorts))
    const lines = out.split('\n').slice(0, CHECKS.length)
    // How long calls take is a matter of the machine.
    const results = lines.map((line) => line.split(/ {2,}/)).filter(([, check]) => check !== 'latency')
    const others = CHECKS.filter((check) => check !== 'latency')
    expect(results.map((cells) => cells.slice(0, 2))).toEqual(others.map((check) => ['ok', check]))
    expect(out).toMatch(/a read takes [\d.]+ ms .*, a write [\d.]+ ms/)
    expect(out).toMatch(/the servers are [\d.]+ ms (ahead of|behind) us/)
    expect(out).toContain('3 of 3 voters that the URL names serve')
    expect(status).toBe(0)
  })

  it('says of each finding what it is, why it matters and what to do, also as JSON', async () => {
    const { status, out } = await told(urlOf(alone.clientPorts))
    expect(out).toMatch(/^warn {6}words {4}/m)
    expect(out).toMatch(/^warn: words: \S+ does not answer mntr, ruok\n {2}why {2}.+\n {2}do {3}in the .+$/m)
    expect(out).toMatch(/^note: quorum: one server is known$/m)
    expect(status).toBe(0)
    const strict = await told('--connect', urlOf(alone.clientPorts), '--strict', '--json')
    const { healthy, checks, findings } = JSON.parse(strict.out) as Record<string, Record<string, string>[]>
    expect([strict.status, healthy]).toEqual([1, false])
    expect(checks?.map(({ check }) => check)).toEqual([...CHECKS])
    expect(findings?.map((finding) => Object.keys(finding))).toContainEqual(['check', 'level', 'what', 'why', 'todo'])
  })

  it('writes nothing with --read-only', async () => {
    const before = await client.exists('/')
    const { out } = await told(urlOf(alone.clientPorts), '--read-only')
    expect(out).toMatch(/^left out {2}clock {4}it takes a write$/m)
    expect((await client.exists('/'))?.pzxid).toBe(before?.pzxid)
  })

  it('tells of servers also where there is no session', async () => {
    const { status, out } = await told(`127.0.0.1:${await freePort()}`, '--connect-timeout', '300')
    expect(out).toMatch(/^bad: session: no session with /m)
    expect(out).toMatch(/^bad: quorum: no server leads: 0 of 1 voter /m)
    expect(out).toMatch(/^left out {2}locks {4}there is no session$/m)
    expect(status).toBe(1)
  })

  it('leaves out what an engine does not tell', async () => {
    const checks = await checkServers([], signal)
    expect(checks.map(({ check, isLeftOut }) => [check, isLeftOut])).toEqual([
      ['quorum', true],
      ['servers', true],
      ['words', true],
    ])
  })

  it('finds what is wrong with servers', async () => {
    const monitor = 'zk_avg_latency\t250.5\nzk_outstanding_requests\t3\n' +
      'zk_open_file_descriptor_count\t900\nzk_max_file_descriptor_count\t1024\n'
    const addresses = [
      await answering({ srvr: srvr('0x200000400', 'leader'), mntr: monitor, ruok: 'imok' }),
      await answering({ srvr: srvr('0x200000003', 'follower', '3.8.0'), mntr: 'zk_version\t3\n', ruok: 'imok' }),
      await answering({ srvr: 'This ZooKeeper instance is not currently serving requests\n' }),
      { host: '127.0.0.1', port: await freePort() },
    ]
    const checks = await checkServers(addresses, signal)
    expect(found(checks, 'quorum')).toEqual([
      'bad: 2 of 4 voters serve, and 3 must',
      'note: there are 4 voters, an even number',
    ])
    expect(found(checks, 'servers')).toEqual([
      expect.stringMatching(/^warn: \S+ takes 250\.5 ms for a request on average, and 3 wait$/),
      expect.stringMatching(/^warn: \S+ has 900 of 1024 file descriptors in use$/),
      expect.stringMatching(/^warn: \S+ is behind by 1,021 writes$/),
      expect.stringMatching(/^warn: \S+ does not serve: This ZooKeeper instance is not/),
      expect.stringMatching(/^warn: \S+ does not serve: .*ECONNREFUSED/),
      'note: servers run 2 versions: 3.8.0, 3.9.2',
    ])
    expect(found(checks, 'words')).toEqual([])
    const refusing = { mntr: 'mntr is not executed because it is not in the whitelist.\n' }
    const few = [await answering(refusing), await answering(refusing)]
    expect(found(await checkServers(few, signal), 'words')).toEqual([
      `warn: ${few.map(({ host, port }) => `${host}:${port}`).join(', ')} do not answer mntr`,
    ])
  })

  it('finds a clock that is wrong, slow calls, and a short time-out', async () => {
    const stat = await client.exists('/')
    if (stat === null) throw new Error('no root')
    const sessionOf = (ctime: () => number, sessionTimeoutMs: number): Promise<{ checks: readonly Checked[] }> => {
      const other = {
        sessionTimeoutMs,
        create: () => Promise.resolve({ path: '/x', stat }),
        exists: () => Promise.resolve({ ...stat, ctime: ctime() }),
        delete: () => Promise.resolve(),
      }
      return checkSession({ client: other, signal, askedMs: 30_000, isReadOnly: false, tellsTime: true })
    }
    const { checks } = await sessionOf(() => Date.now() - 60_000, 4_000)
    expect(found(checks, 'clock')).toEqual([
      expect.stringMatching(/^bad: the clock of the servers is [56]\d{4} ms behind the one of this machine$/),
    ])
    expect(found(checks, 'session')).toEqual([
      'note: the servers give a session time-out of 4000 ms, of 30000 ms that were asked for',
    ])
    const { checks: late } = await sessionOf(() => Date.now() + 3_000, 0.000_001)
    expect(found(late, 'clock')).toEqual([expect.stringMatching(/^warn: .* ahead of the one of this machine$/)])
    expect(found(late, 'latency')).toEqual([expect.stringMatching(/^bad: a call took .*, of a session time-out of/)])
  })

  it('says why no node could be created', async () => {
    const refusing = (code: 'NO_AUTH' | 'NO_NODE'): Promise<{ checks: readonly Checked[] }> => {
      const other = {
        sessionTimeoutMs: 30_000,
        create: () => Promise.reject(new CoordinationError(code, 'refused', { outcome: 'rejected', path: '/x' })),
        exists: () => Promise.resolve(null),
        delete: () => Promise.resolve(),
      }
      return checkSession({ client: other, signal, askedMs: 30_000, isReadOnly: false, tellsTime: true })
    }
    expect(found((await refusing('NO_AUTH')).checks, 'latency')).toEqual([
      'note: a node cannot be created at /: Insufficient permission : /x',
    ])
    expect(found((await refusing('NO_NODE')).checks, 'latency')).toEqual([
      'bad: the node of the namespace or chroot is missing: Node does not exist: /x',
    ])
  })

  it('finds locks that are stuck, large nodes, long lists, and nodes that somebody left behind', async () => {
    const lease = await new FairLock(client, '/locks/orders').acquire({ data: 'cart-1' })
    const waiting = new AbortController()
    const second = new FairLock(client, '/locks/orders').acquire({ onReentry: 'wait', signal: waiting.signal })
    second.catch(() => undefined)
    while ((await client.children('/locks/orders')).names.length < 2);
    const dead = '_c_00000000-0000-4000-8000-000000000000-lock-0000000001'
    await client.makePath(`/locks/dead/${dead}`, { mode: 'persistent' })
    await client.makePath('/locks/left/one', { mode: 'persistent' })
    await client.delete('/locks/left/one')
    await client.create('/large', new Uint8Array(700_000))
    await client.create('/wide')
    for (let start = 0; start <= 10_000; start += 2_500) {
      const paths = Array.from({ length: 2_501 }, (_, index) => `/wide/${start + index}-${start}`)
      await client.multi(paths.map((path) => ({ type: 'create', path, data: new Uint8Array(), mode: 'persistent' })))
    }
    const shell = new TestShell(`zookeeper://${urlOf(alone.clientPorts)}`)
    await shell.shell.connect()
    await shell.ok('create /closed secret world:anyone:c')
    await shell.shell.close()
    const context = { client, signal, nodesMax: 1_500, lockRoots: ['/locks'], nowMs: Date.now() + 7_200_000 }
    const locks = [await checkLocks({ ...context, stuckMs: 600_000 })]
    expect(found(locks, 'locks')).toEqual([
      expect.stringMatching(/^warn: \/locks\/orders: held by session 0x\w+ \(cart-1\) for 2 h .*; 1 wait, the /),
    ])
    const tree = await checkTree(context)
    expect(found(tree, 'sizes')).toEqual([
      expect.stringMatching(/^warn: 1 node \(\/large\) hold more than half of the /),
      'warn: 1 node (/wide) have many children',
      'note: 1 node cannot be read',
    ])
    expect(found(tree, 'orphans')).toEqual([
      `bad: 1 node (/locks/dead/${dead}) stand in the queue of a lock or an election, and belong to no session`,
      'note: 1 node (/locks/left) are locks that nobody has used for an hour and that the servers do not remove',
    ])
    waiting.abort()
    await lease.release()
  })

  it('refuses what it does not understand, and is documented check by check', async () => {
    await expect(told('a:1', 'b:2')).rejects.toThrow('doctor takes one URL, got a:1 b:2')
    await expect(told('--nodes', '0')).rejects.toThrow('--nodes must be a whole number from 1 to ')
    await expect(told('--locks', 'a')).rejects.toThrow("--locks must be a node's path")
    await expect(told('--colour')).rejects.toThrow('doctor has no option --colour')
    expect((await told('--help')).out).toMatch(/^usage: quorate doctor \[URL\]/)
    const page = readFileSync('docs/guide/doctor.md', 'utf8')
    for (const check of CHECKS) expect(page).toContain(`| \`${check}\` |`)
  })
})
