import { request } from 'node:http'
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { downStatus } from '../../../../../src/backends/embedded/down-status.ts'
import { COMMAND_NAMES } from '../../../../../src/backends/embedded/host/admin/admin-commands.ts'
import { AdminServer } from '../../../../../src/backends/embedded/host/admin/admin-server.ts'
import type { ServerView } from '../../../../../src/backends/embedded/host/admin/server-view.ts'
import { TraceMask } from '../../../../../src/backends/embedded/host/admin/trace-mask.ts'
import { HostTimes } from '../../../../../src/backends/embedded/host/host-times.ts'
import { limitsOf } from '../../../../../src/backends/embedded/host/limits.ts'
import { Traffic } from '../../../../../src/backends/embedded/host/clients/traffic.ts'
import { embedded } from '../../../../../src/backends/embedded/index.ts'
import type { EmbeddedOptions, MemberOptions } from '../../../../../src/backends/embedded/index.ts'
import type { ServerInspection } from '../../../../../src/backends/embedded/server/inspection.ts'
import { CreateFlag, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import { deferred } from '../../../../../src/core/async.ts'
import { RawClient, answerTo } from '../clients/raw-client.ts'
import type { OpenClient } from '../clients/raw-client.ts'

const NO_MASK = 'setTraceMask requires long traceMask argument'
const WATCHES = 5_000
const REQUEST_MS = 200
const CONNECTIONS_MAX = 64
const INSPECTION: ServerInspection = {
  nodes: 0,
  ephemerals: 0,
  dataBytes: 0,
  outstanding: 0,
  watches: 0,
  sessions: [],
  localSessions: null,
  ephemeralOwners: 0,
  ephemeralsBySession: [],
  nodeWatches: { count: 0, paths: 0, connections: 0 },
  watchesByPath: [],
  watchesBySession: [],
  digests: [],
  connections: [], leading: null, confirmedZxid: 0n,
}

const UNMEASURED = { times: new HostTimes(), syncTimes: null }

const alone = embedded({ servers: 1, clientPorts: [0], adminPorts: [0], fourLetterWords: ['*'] })
const three = embedded({
  servers: 3,
  observers: 1,
  clientPorts: [0, 0, 0, 0],
  adminPorts: [0, 0, 0, 0],
  fourLetterWords: ['*'],
})
let client: OpenClient

beforeAll(async () => {
  await Promise.all([alone, three].map((ensemble) => ensemble.start()))
  client = await RawClient.open(alone.clientPorts[0] ?? 0)
  const node = { data: Uint8Array.of(1, 2, 3), acl: OPEN_ACL }
  await client.ask(OpCode.create, { ...node, path: '/a', flags: CreateFlag.persistent })
  await client.ask(OpCode.create, { ...node, path: '/e', flags: CreateFlag.ephemeral })
  await client.ask(OpCode.getData, { path: '/a', watch: true })
})

afterAll(async () => {
  await client.drop()
  await Promise.all([alone, three].map((ensemble) => ensemble.close()))
})

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

function ask(port: number, path: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { Connection: 'close', ...headers }
    const asking = request({ host: '127.0.0.1', port, path, method, headers: all }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('error', reject).on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    asking.on('error', reject).end()
  })
}

async function command(name: string, ensemble = alone, id = 1): Promise<Record<string, unknown>> {
  const { status, headers, text } = await ask(ensemble.adminPorts[id - 1] ?? 0, `/commands/${name}`)
  expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
  return JSON.parse(text) as Record<string, unknown>
}

function word(name: string, ensemble = alone, id = 1): Promise<string> {
  return answerTo(ensemble.clientPorts[id - 1] ?? 0, name)
}

function valuesOf(text: string, separator: string): ReadonlyMap<string, string> {
  return new Map(text.trim().split('\n').map((line) => {
    const at = line.indexOf(separator)
    return [line.slice(0, at), line.slice(at + separator.length)]
  }))
}

function view(more: Partial<ServerView> = {}): ServerView {
  return {
    traffic: new Traffic(),
    ...{ traceMask: new TraceMask(), startedMs: 0, connections: () => [] },
    limits: limitsOf({}, {}),
    ...{ outstanding: () => 0, outstandingBytes: () => 0 },
    handshakes: () => 0,
    slowedHandshakes: () => 0,
    host: () => null,
    clientPort: () => 0,
    secureClientPort: () => null,
    configuration: () => '',
    directories: () => null,
    company: { isStandalone: true, voters: 1 },
    ...more,
  }
}

async function adminOver(more: Partial<ServerView> = {}): Promise<AdminServer> {
  const admin = new AdminServer({ address: '127.0.0.1', port: 0, view: view(more), requestMs: REQUEST_MS })
  await admin.listen()
  cleanUps.push(() => admin.close())
  return admin
}

function dial(port: number): { readonly socket: Socket; readonly closed: Promise<unknown> } {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  cleanUps.push(() => socket.destroy())
  return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

/** Watches without end; tells how many were read when nobody reads on. */
function* endless(tell: (count: number) => void): Generator<[string, string[]]> {
  let count = 0
  try {
    for (;;) yield [`0x${(count += 1).toString(16)}`, ['/a']]
  } finally {
    tell(count)
  }
}

/** Numbers that are summed up. */
const SUMMED = /(?:read|update)latency|snapshottime|election_time|unavailable_time|sync_time|dbinittime|startup_/

/** Numbers that change from one question to the next. */
const MOVING = /uptime|_ms$|latency|packets|n_request|s_received|response_size|descriptor|num_al|mtls_local|memory_used/

describe('the commands of the AdminServer', () => {
  it('are listed, and each says its name and no error', async () => {
    const { text, headers } = await ask(alone.adminPorts[0] ?? 0, '/commands')
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(text.match(/(?<=href="\/commands\/)\w+/g)).toEqual(COMMAND_NAMES)
    for (const name of COMMAND_NAMES) {
      const answer = await command(name)
      const error = name === 'set_trace_mask' ? NO_MASK : null
      const alonesError = name === 'leader' ? 'server is not initialized' : error
      expect([name, answer['command'], answer['error']]).toEqual([name, name, alonesError])
      expect((await command(name, three))['error']).toBe(error)
    }
    for (const short of ['conf', 'cons', 'envi', 'isro', 'lead', 'mntr', 'srvr', 'stat', 'wchs', 'wchc', 'wchp']) {
      expect(COMMAND_NAMES).toContain((await command(short))['command'])
    }
  })

  it('the trace mask can be set, to a number', async () => {
    expect((await command('gtmk'))['tracemask']).toBe(306)
    for (const wrong of ['', 'x', '0x10', '9223372036854775808']) {
      const { error, tracemask } = await command(`stmk?traceMask=${wrong}`)
      expect([error, tracemask]).toEqual([`${NO_MASK}, got ${wrong}`, undefined])
    }
    expect(await command('stmk?traceMask=-7')).toEqual({ command: 'set_trace_mask', error: null, tracemask: -7 })
    expect((await command('get_trace_mask'))['tracemask']).toBe(-7)
  })

  it('monitor has the numbers of mntr', async () => {
    for (const [ensemble, id] of [[alone, 1], [three, three.leader ?? 0], [three, 4]] as const) {
      const { command: name, error, ...numbers } = await command('monitor', ensemble, id)
      const words = valuesOf(await word('mntr', ensemble, id), '\t')
      expect([name, error]).toEqual(['monitor', null])
      expect(Object.keys(numbers).map((key) => `zk_${key}`)).toEqual([...words.keys()])
      for (const [key, value] of Object.entries(numbers)) {
        const told = words.get(`zk_${key}`)
        if (!MOVING.test(key)) expect([key, typeof value === 'number' ? Number(told) : told]).toEqual([key, value])
      }
    }
  })

  it('server_stats, stats and leader have what srvr tells', async () => {
    const leader = three.leader ?? 0
    for (const [ensemble, id] of [[alone, 1], [three, leader], [three, 4]] as const) {
      const words = valuesOf(await word('srvr', ensemble, id), ': ')
      const { server_stats: stats, ...rest } = await command('server_stats', ensemble, id)
      expect(stats).toMatchObject({
        server_state: words.get('Mode'),
        last_processed_zxid: Number(words.get('Zxid')),
        outstanding_requests: Number(words.get('Outstanding')),
        num_alive_client_connections: Number(words.get('Connections')) - 1,
      })
      expect(rest).toMatchObject({ node_count: Number(words.get('Node count')), read_only: false })
      expect('proposal_stats' in rest).toBe(id === leader && ensemble === three)
      expect(words.get('Zookeeper version')).toBe(rest['version'])
    }
    const { connections } = (await command('stats')) as { connections: object[] }
    expect(connections).toHaveLength(1)
    expect(Object.keys(connections[0] ?? {})).toHaveLength(5)
    expect(await command('leader', three, 4)).toMatchObject({ is_leader: false, leader_id: leader })
    expect(await command('leader', three, leader)).toMatchObject({ is_leader: true, leader_id: leader })
  })

  it('configuration, voting_view and dirs have what conf and dirs tell', async () => {
    const words = valuesOf(await word('conf', three, 2), '=')
    const { command: _, error: __, ...values } = await command('configuration', three, 2)
    for (const [key, value] of Object.entries(values)) {
      const name = key.replace(/_[a-z]/g, (part) => (part[1] ?? '').toUpperCase())
      expect([key, String(value)]).toEqual([key, words.get(name)])
    }
    expect(values).toMatchObject({ client_port: three.clientPorts[1], server_id: 2, max_client_cnxns: 60 })
    const { current_config: members } = (await command('voting_view', three)) as { current_config: object }
    expect(Object.keys(members)).toEqual(['1', '2', '3'])
    expect(await command('dirs')).toEqual({ command: 'dirs', error: null, datadir_size: 0, logdir_size: 0 })
  })

  it('connections, dump and watches tell of sessions by ids with all of their digits', async () => {
    const id = BigInt.asIntN(64, client.session.sessionId).toString()
    expect(BigInt(id)).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER))
    const [port = 0] = alone.adminPorts
    const text = async (name: string): Promise<string> => (await ask(port, `/commands/${name}`)).text
    expect(await text('connections')).toContain(`"session_id" : ${id},`)
    expect(await text('dump')).toMatch(new RegExp(String.raw`: \[\n\s+${id}\n`))
    expect((await command('dump'))['session_id_to_ephemeral_paths']).toEqual({ [id]: ['/e'] })
    expect((await command('watches'))['session_id_to_watched_paths']).toEqual({ [id]: ['/a'] })
    expect(await text('watches_by_path')).toContain(`"/a" : [\n      ${id}\n    ]`)
    expect(await command('watch_summary')).toMatchObject({ num_connections: 1, num_paths: 1, num_total_watches: 1 })
  })

  it('hash tells digests as numbers with all of their digits', async () => {
    expect(await command('hash')).toEqual({ command: 'hash', error: null, digests: [] })
    const digests = [{ zxid: 128n, digest: -9_007_199_254_740_993n }]
    const status = { ...downStatus(1), role: 'LEADING' as const, serving: true }
    const host = { ...UNMEASURED, status: () => status, inspect: () => ({ ...INSPECTION, digests }) }
    const admin = await adminOver({ host: () => host })
    const { text } = await ask(admin.port, '/commands/hash')
    expect(text).toContain('"zxid" : 128,')
    expect(text).toContain('"digest" : -9007199254740993')
  })

  it('zabstate tells of the vote and the zxid in its two parts', async () => {
    const leader = three.leader ?? 0
    const { last_zxid: zxid, ...rest } = await command('zabstate', three, leader)
    const epoch = Number(BigInt(String(zxid)) >> 32n)
    expect(rest).toMatchObject({ myid: leader, is_leader: true, voting: true, zab_epoch: epoch, zabstate: 'broadcast' })
    expect(await command('zabstate', three, 4)).toMatchObject({ is_leader: false, voting: false })
    expect(await command('zabstate')).toMatchObject({ voting: false, zabstate: '' })
  })

  it('reset what is counted', async () => {
    await command('connection_stat_reset')
    expect(await word('cons')).toContain('recved=0,sent=0,')
    await command('stat_reset')
    expect((await command('server_stats'))['server_stats']).toMatchObject({ packets_received: 0, packets_sent: 0 })
  })

  it('that are not there are an error, with status 200 as in the reference', async () => {
    expect(await command('toString')).toEqual({ command: 'toString', error: 'Unknown command: toString' })
    expect(await command('a/b')).toEqual({ command: 'a/b', error: 'Unknown command: a/b' })
  })

  it('of 5,000 watches come as JSON with exact ids', async () => {
    const watcher = await RawClient.open(alone.clientPorts[0] ?? 0)
    const asked = Array.from({ length: WATCHES }, (_, index) => {
      return watcher.encode(OpCode.exists, { path: `/watched/${index}`, watch: true })
    })
    watcher.socket.write(Buffer.concat(asked))
    await watcher.answered(WATCHES)
    const id = BigInt.asIntN(64, watcher.session.sessionId)
    const byPath = await ask(alone.adminPorts[0] ?? 0, '/commands/wchp')
    expect(byPath.headers['transfer-encoding']).toBe('chunked')
    const exact = byPath.text.replaceAll(/^\s+(-?\d+)(,?)$/gm, '"$1"$2')
    const { path_to_session_ids: paths } = JSON.parse(exact) as { path_to_session_ids: Record<string, string[]> }
    expect(Object.keys(paths)).toHaveLength(WATCHES + 1)
    expect(paths[`/watched/${WATCHES - 1}`]).toEqual([String(id)])
    const { session_id_to_watched_paths: bySession } = await command('wchc')
    expect((bySession as Record<string, string[]>)[String(id)]).toHaveLength(WATCHES)
    await watcher.drop()
  })
})

describe('/metrics', () => {
  const HELP = /^# HELP (\w+) \S.*$/
  const TYPE = /^# TYPE (\w+) (?:gauge|counter)$/
  const SAMPLE = /^([a-zA-Z_:][\w:]*) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/

  it('is Prometheus text: HELP, TYPE and a number for each, once', async () => {
    const { status, headers, text } = await ask(three.adminPorts[(three.leader ?? 0) - 1] ?? 0, '/metrics')
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(text.endsWith('\n')).toBe(true)
    const lines = text.trimEnd().split('\n').filter((line) => !SUMMED.test(line))
    const names: string[] = []
    for (let at = 0; at < lines.length; at += 3) {
      const found = [HELP, TYPE, SAMPLE].map((form, index) => form.exec(lines[at + index] ?? '')?.[1])
      expect(new Set(found).size, lines.slice(at, at + 3).join('\n')).toBe(1)
      names.push(found[0] ?? '')
    }
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['quorate_serving', 'quorate_epoch', 'znode_count', 'quorum_size']))
    expect(names).not.toContain('')
  })

  it('has the numbers of mntr', async () => {
    const words = valuesOf(await word('mntr'), '\t')
    const { text } = await ask(alone.adminPorts[0] ?? 0, '/metrics')
    const samples = new Map(text.split('\n').flatMap((line) => {
      const [, name, value] = SAMPLE.exec(line) ?? []
      return name === undefined ? [] : [[name, Number(value)]]
    }))
    for (const [key, value] of words) {
      const name = key.replace(/^zk_/, '')
      if (/version|state/.test(name) || SUMMED.test(name)) continue
      expect([name, samples.has(name)]).toEqual([name, true])
      if (!MOVING.test(name)) expect([name, samples.get(name)]).toEqual([name, Number(value)])
    }
  })

  it('sums up the times of requests by their percentiles', async () => {
    await client.ask(OpCode.setData, { path: '/e', data: Uint8Array.of(4), version: -1 })
    await client.ask(OpCode.exists, { path: '/a', watch: false })
    const { text } = await ask(alone.adminPorts[0] ?? 0, '/metrics')
    for (const name of ['readlatency', 'updatelatency']) {
      const at = text.indexOf(`# HELP ${name} `)
      const quantiles = ['0.5', '0.95', '0.99', '0.999'].map((share) => `${name}\\{quantile="${share}"\\} \\d+\\n`)
      const lines = [`# TYPE ${name} summary\\n`, ...quantiles, `${name}_sum \\d+\\n`, `${name}_count [1-9]\\d*\\n`]
      expect(text.slice(at)).toMatch(new RegExp(`^# HELP .*\\n${lines.join('')}`))
    }
  })

  it('tells that a server does not serve', async () => {
    const { text } = await ask((await adminOver()).port, '/metrics')
    expect(text).toContain('\nquorate_serving 0\n')
    expect(text).not.toContain('znode_count')
  })
})

describe('the AdminServer', () => {
  it('answers what asks nothing of its server while that does not serve', async () => {
    const { port } = await adminOver()
    for (const name of COMMAND_NAMES) {
      const { error } = JSON.parse((await ask(port, `/commands/${name}`)).text) as { error: unknown }
      const why = 'This ZooKeeper instance is not currently serving requests'
      const told: Record<string, unknown> = { environment: null, get_trace_mask: null, set_trace_mask: NO_MASK }
      expect([name, error]).toEqual([name, told[name] === undefined ? why : told[name]])
    }
  })

  it('takes GET alone, knows two paths, and refuses what is none', async () => {
    const [port = 0] = alone.adminPorts
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      expect((await ask(port, '/commands/stat_reset', {}, method)).status).toBe(405)
    }
    for (const path of ['/', '/commandsX', '/metrics/', '/..', '/commands/../x']) {
      expect([path, (await ask(port, path)).status]).toEqual([path, 404])
    }
    for (const path of ['http://[', '//:x', 'http://h:99999/commands']) {
      expect([path, (await ask(port, path)).status]).toEqual([path, 400])
    }
    expect(await answerTo(port, 'rubbish\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
    const long = 'x'.repeat(9_000)
    expect(await answerTo(port, `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${long}\r\n\r\n`)).toMatch(/ 431 /)
  })

  it('refuses what a browser sends for another page, and names of others', async () => {
    const [port = 0] = alone.adminPorts
    const refused: OutgoingHttpHeaders[] = [
      { Origin: 'http://elsewhere' },
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Host: 'rebound.example:8080' },
      { Host: '127.0.0.1.example' },
    ]
    for (const headers of refused) {
      const { status, text } = await ask(port, '/commands/environment', headers)
      expect([headers, status]).toEqual([headers, 403])
      expect(text).not.toContain('{')
    }
    const taken = [{ Host: `localhost:${port}` }, { Host: '[::1]' }, { 'Sec-Fetch-Site': 'none' }]
    for (const headers of taken) expect((await ask(port, '/commands/ruok', headers)).status).toBe(200)
  })

  it('believes no header of a proxy, and has no command that copies or replaces data', async () => {
    const [port = 0] = alone.adminPorts
    const posed = { 'X-Forwarded-For': '10.0.0.1', 'X-Forwarded-Host': 'localhost', Forwarded: 'for=10.0.0.1' }
    for (const headers of [posed, { ...posed, Authorization: 'digest super:test' }]) {
      const { status, text } = await ask(port, '/commands/connections', headers)
      expect(status).toBe(200)
      expect(text).not.toContain('10.0.0.1')
      expect((await ask(port, '/commands/ruok', { ...headers, Host: 'elsewhere.example' })).status).toBe(403)
    }
    for (const name of ['snapshot', 'restore', 'snap', 'shutdown', 'stop']) expect(COMMAND_NAMES).not.toContain(name)
  })

  it('has a bound for connections, and ends those that send no request in time', async () => {
    const { port } = await adminOver()
    const slow = Array.from({ length: CONNECTIONS_MAX }, () => dial(port))
    await Promise.all(slow.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))))
    for (const { socket } of slow) socket.resume()
    for (const { socket } of slow.slice(0, 32)) socket.write('GET /commands HTTP/1.1\r\n')
    await expect(ask(port, '/commands')).rejects.toThrow()
    await Promise.all(slow.map(({ closed }) => closed))
    expect((await ask(port, '/commands')).status).toBe(200)
  })

  it('makes an answer while it is read, and ends somebody who does not read on', async () => {
    const over = deferred<number>()
    const host = {
      ...UNMEASURED,
      status: () => ({ ...downStatus(1), role: 'LEADING' as const, serving: true }),
      inspect: () => ({ ...INSPECTION, watchesBySession: endless((count) => over.resolve(count)) }),
    }
    const { port } = await adminOver({ host: () => host })
    const { socket } = dial(port)
    socket.pause().write('GET /commands/watches HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await over.promise).toBeGreaterThan(0)
    expect((await ask(port, '/commands/environment')).status).toBe(200)
  })

  it('ends with its connections, and can listen again', async () => {
    const admin = await adminOver()
    const { port } = admin
    const { socket, closed } = dial(port)
    socket.resume()
    await new Promise((resolve) => socket.once('connect', resolve))
    admin.close()
    admin.close()
    await closed
    await expect(ask(port, '/commands')).rejects.toThrow('ECONNREFUSED')
    await admin.listen()
    expect([admin.port, (await ask(port, '/commands')).status]).toEqual([port, 200])
    const second = new AdminServer({ address: '127.0.0.1', port, view: view() })
    await expect(second.listen()).rejects.toThrow(`127.0.0.1:${port} for the AdminServer: it is taken`)
  })

  it('does not listen if it was closed before it did', async () => {
    const admin = new AdminServer({ address: 'localhost', port: 0, view: view() })
    const listening = admin.listen()
    admin.close()
    await listening
    expect(admin.port).toBe(0)
  })
})

describe('an ensemble with AdminServers', () => {
  it('closes one with its server, and has it back on its port', async () => {
    const ensemble = embedded({ servers: 3, clientPorts: [0, 0, 0], adminPorts: [0, 0, 0] })
    cleanUps.push(() => ensemble.close())
    await ensemble.start()
    const [port = 0] = ensemble.adminPorts
    ensemble.crash(1)
    await expect(ask(port, '/metrics')).rejects.toThrow('ECONNREFUSED')
    ensemble.restart(1)
    expect(ensemble.adminPorts[0]).toBe(port)
    await expect.poll(async () => (await ask(port, '/metrics')).text).toContain('quorate_serving 1')
    await ensemble.close()
    await expect(ask(port, '/metrics')).rejects.toThrow('ECONNREFUSED')
  })

  it('does not start if a port is taken, and leaves nothing open', async () => {
    const [taken = 0] = alone.adminPorts
    const ensemble = embedded({ servers: 1, clientPorts: [0], adminPorts: [taken] })
    await expect(ensemble.start()).rejects.toThrow('for the AdminServer: it is taken')
    await expect(RawClient.dial(ensemble.clientPorts[0] ?? 0)).rejects.toThrow()
    await ensemble.close()
  })

  it('is refused without ports for clients, and with another number of them', () => {
    const servers = { 1: '127.0.0.1:2888:3888' }
    const wrong: readonly (readonly [EmbeddedOptions | MemberOptions, string])[] = [
      [{ adminPorts: [0, 0, 0] }, 'adminPorts needs clientPorts'],
      [{ clientPorts: [0, 0, 0], adminPorts: [0] }, 'adminPorts must have a port for each of 3 servers, got 1'],
      [{ servers: 1, clientPorts: [0], adminPorts: [70_000] }, 'a port of adminPorts'],
      [{ servers: 1, clientPorts: [0], adminPorts: [0], adminAddress: '' }, 'adminAddress'],
      [{ myid: 1, servers, adminPort: 0 }, 'adminPort needs a clientPort'],
      [{ myid: 1, servers, clientPort: 0, adminPort: -1 }, 'adminPort'],
    ]
    for (const [options, message] of wrong) expect(() => embedded(options as EmbeddedOptions)).toThrow(message)
    const both = { myid: 1, servers, clientPort: 0, adminPorts: [0] }
    expect(() => embedded(both)).toThrow('adminPorts is an option of an ensemble in one process')
  })
})
