/** The compiled program as people and scripts start it: what it prints, how it ends, and what it does to signals. */
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../engines/process.ts'
import { addressOf, messagesOf, ProgramRig, START_MS_MAX } from './program-rig.ts'
import type { Ended, Program } from './program-rig.ts'

const rig = new ProgramRig()
const quorate = (...args: string[]): Program => rig.quorate({}, ...args)
const run = (...args: string[]): Promise<Ended> => rig.run(...args)

beforeAll(() => rig.start(), START_MS_MAX)

afterEach(() => rig.clear())

afterAll(async () => {
  expect(await rig.close()).toBe(0)
})

describe('quorate server', () => {
  it('is a program of its own, which says in one line that it serves', () => {
    expect(readFileSync(rig.main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(rig.main).mode & 0o111).toBe(0o111)
    expect(rig.server.out).toBe(`quorate serves on ${rig.address} (in memory; pid ${rig.server.child.pid ?? 0})\n`)
    expect(messagesOf(rig.server)).toEqual([
      'info  has read its data: epoch 0, zxid 0x0',
      expect.stringMatching(/^info {2}serves clients on 127\.0\.0\.1:\d+ \(in memory; pid \d+\), epoch \d+, zxid 0x0$/),
    ])
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with status 0 on %s, even with clients', async (signal) => {
    const own = quorate('server', '--client-port=0')
    await own.printed(/serves on .*\n/)
    const client = quorate('--connect', addressOf(own))
    client.type('create /a\n')
    await client.printed(/Created/)
    own.child.kill(signal)
    expect(await own.ended).toBe(0)
    expect(messagesOf(own).slice(-2)).toEqual(['info  stops: a signal came', 'info  has ended'])
  })

  it('ends with status 1 and the reason if its port is taken', async () => {
    const taken = createServer()
    const port = await freePort()
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve))
    const own = quorate('server', '--client-port', String(port))
    expect([await own.ended, own.out]).toEqual([1, ''])
    expect(own.err).toMatch(new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${port}: .*taken\n$`))
    await new Promise((resolve) => taken.close(resolve))
  })

  it('goes by a configuration of ZooKeeper, and says what it does not do', async () => {
    const port = await freePort()
    const file = join(rig.folder, 'zoo.cfg')
    writeFileSync(file, `tickTime=2000\nclientPort=${port}\nclientPortAddress=127.0.0.1\ncolour=blue\ninitLimit=5\n`)
    const own = quorate('server', file)
    await own.printed(/serves on/)
    expect(own.out).toContain(`quorate serves on 127.0.0.1:${port} (`)
    const without = `${file}: without effect on this server: initLimit (line 5)`
    const warnings = messagesOf(own).filter((line) => line.startsWith('warn'))
    expect(warnings).toEqual([`warn  ${file}:4: unknown key colour: ignored`, `warn  ${without}`])
    const client = quorate('--connect', `127.0.0.1:${port}`, 'create', '-t', '1000', '/ttl')
    expect(await client.ended).toBe(1)
  })

  it('serves other machines without TLS only if it is told to, and says so then', async () => {
    const refused = await rig.runWith({}, 'server', '--client-port=0', '--client-port-address', '0.0.0.0')
    const exposure = 'clients on other machines are served without TLS on 0.0.0.0:'
    expect(refused).toMatchObject({ status: 1, out: '' })
    expect(refused.err).toMatch(/^it does not start like this: .* without TLS on 0\.0\.0\.0:0\. .*--insecure/)
    const file = join(rig.folder, 'open.cfg')
    const port = await freePort()
    writeFileSync(file, `clientPort=${port}\n`)
    expect((await rig.runWith({}, 'server', file)).err).toContain(`${exposure}${port}. `)
    writeFileSync(file, `clientPort=${port}\nquorate.insecure=true\n`)
    for (const args of [['--client-port=0', '--client-port-address=0.0.0.0', '--insecure'], [file]]) {
      const own = quorate('server', ...args)
      await own.printed(/serves on 0\.0\.0\.0:\d+ /)
      expect(messagesOf(own)[0]).toContain(`warn  ${exposure}`)
      own.child.kill('SIGTERM')
      await own.ended
    }
  })

  it('keeps its data over the end of its process, and its directory to itself', async () => {
    const folder = join(rig.folder, 'data')
    const first = quorate('server', '--client-port=0', '--data-dir', folder)
    await first.printed(/serves on .*\n/)
    expect(first.out).toContain(`(${folder}; pid `)
    expect(messagesOf(first)[0]).toBe('info  has read its data: epoch 0, zxid 0x0')
    expect((await rig.runWith({}, '--connect', addressOf(first), 'create', '/kept', 'value')).status).toBe(0)
    const second = quorate('server', '--client-port=0', '--data-dir', folder)
    expect(await second.ended).toBe(1)
    expect(second.err).toMatch(/data is used by process \d+: stop it, or give this server another dataDir\n$/)
    first.child.kill('SIGKILL')
    await first.ended
    const third = quorate('server', '--client-port=0', '--data-dir', folder)
    await third.printed(/serves on .*\n/)
    expect(messagesOf(third)[0]).toMatch(/^info {2}has read its data: epoch 1, zxid 0x10000000[1-9]$/)
    expect(await rig.runWith({}, '--connect', addressOf(third), 'get', '/kept')).toMatchObject({ out: 'value\n' })
    third.child.kill('SIGTERM')
    expect(await third.ended).toBe(0)
  })

  it('tells programs the same as JSON: what it has read, where it serves, that it stops', async () => {
    const folder = join(rig.folder, 'told')
    const own = quorate('server', '--client-port=0', '--data-dir', folder, '--log', 'json')
    await own.printed(/serves clients on .*\n/)
    own.child.kill('SIGTERM')
    expect(await own.ended).toBe(0)
    const lines = own.err.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)
    const { pid } = own.child
    expect(lines).toMatchObject([
      { level: 'info', event: 'started', epoch: 0, zxid: '0x0' },
      { event: 'ready', address: addressOf(own), dataDir: folder, adminAddress: null, pid, epoch: 1, zxid: '0x0' },
      { event: 'stopping', reason: 'a signal came' },
      { event: 'ended' },
    ])
  })

  it('refuses a wrong value with file and line, and status 1', async () => {
    const file = join(rig.folder, 'wrong.cfg')
    writeFileSync(file, 'tickTime=2000\nclientPort=none\n')
    const own = quorate('server', file)
    expect(await own.ended).toBe(1)
    expect(own.err).toBe(`${file}:2: clientPort must be a whole number from 0 to 65535, got "none"\n`)
  })

  it('refuses what is no configuration, in one line', async () => {
    const file = join(rig.folder, 'readme')
    writeFileSync(file, '# Words\nSome words\n')
    const none = `${file} is no configuration of ZooKeeper: no key in it is known; the first is Some`
    const missing = `cannot read the configuration ${file}.cfg: there is no such file`
    const folder = `cannot read the configuration ${rig.folder}: it is a folder`
    expect(await rig.runWith({}, 'server', file)).toEqual({ status: 1, out: '', err: `${none}\n` })
    expect(await rig.runWith({}, 'server', `${file}.cfg`)).toEqual({ status: 1, out: '', err: `${missing}\n` })
    expect(await rig.runWith({}, 'server', rig.folder)).toEqual({ status: 1, out: '', err: `${folder}\n` })
  })

  it.each([
    [['--client-port', 'x'], /^--client-port must be a port from 0 to 65535, got "x"\n$/],
    [['one.cfg', 'two.cfg'], /^server takes one configuration file, got one.cfg two.cfg\n$/],
    [['--client-prot', '1'], /^server has no option --client-prot; did you mean --client-port\?\n$/],
    [['--client-port'], /^--client-port needs a value\n$/],
    [['--help=no'], /^--help takes no value\n$/],
    [['--port', '1'], /^server has no option --port; quorate server --help lists them\n$/],
  ])('does not understand %j, with status 2', async (args, message) => {
    const own = quorate('server', ...args)
    expect(await own.ended).toBe(2)
    expect(own.err).toMatch(message)
  })
})

describe('a tool for files', () => {
  it('reads what a server keeps, while it runs and after it, without a connection', async () => {
    const folder = join(rig.folder, 'read-by-tools')
    const server = quorate('server', '--client-port=0', '--data-dir', folder)
    await server.printed(/serves on .*\n/)
    await rig.runWith({}, '--connect', addressOf(server), 'create', '/listed', 'value')
    const log = readdirSync(join(folder, 'version-2')).find((name) => name.startsWith('log.')) ?? ''
    const listed = await rig.runWith({}, 'log', join(folder, 'version-2', log))
    expect(listed).toMatchObject({ status: 0 })
    expect(listed.out).toMatch(/ {2}create2? {2}\/listed {2}5 bytes\n/)
    const snapshot = await rig.runWith({}, 'snapshot', join(folder, 'version-2/snapshot.0'), '--json')
    expect(snapshot).toMatchObject({ status: 0, err: '' })
    expect((await rig.runWith({}, 'log', '--help')).out).toMatch(/^usage: quorate log FILE/)
  })
})

describe('one command', () => {
  it('prints its result, and ends with 0 if it is done, 1 if not, 2 if not understood', async () => {
    expect(await run('create', '/one', 'a b')).toEqual({ status: 0, out: 'Created /one\n', err: '' })
    expect(await run('get', '/one')).toEqual({ status: 0, out: 'a b\n', err: '' })
    expect(await run('get', '/two')).toEqual({ status: 1, out: '', err: 'Node does not exist: /two\n' })
    const unknown = { status: 2, out: '', err: 'Command not found got; did you mean get?\n' }
    expect(await run('got', '/one')).toEqual(unknown)
    expect((await run('get', '/one', '--json')).out).toBe('{"path":"/one","data":"a b","version":0}\n')
  })

  it('says so when there is no server, within the time that it has', async () => {
    const port = await freePort()
    const program = quorate('--connect', `127.0.0.1:${port}`, '--connect-timeout', '200', 'ls', '/')
    expect(await program.ended).toBe(1)
    const message = `^no session with zookeeper://127.0.0.1:${port} within 200 ms: .*ECONNREFUSED`
    expect(program.err).toMatch(new RegExp(message))
  })

  it('that watches waits for the event; a signal ends it with 128 and its number', async () => {
    await run('create', '/watched')
    const waiting = quorate('--connect', rig.address, '--json', 'get', '-w', '/watched')
    await waiting.printed(/version/)
    await run('set', '/watched', 'x')
    expect(await waiting.ended).toBe(0)
    expect(waiting.out.split('\n')[1]).toBe(
      '{"event":{"type":"NodeDataChanged","state":"SyncConnected","path":"/watched"}}',
    )
    const interrupted = quorate('--connect', rig.address, 'stat', '-w', '/watched')
    await interrupted.printed(/numChildren/)
    interrupted.child.kill('SIGINT')
    expect(await interrupted.ended).toBe(130)
  })

  it('reads commands from a pipe, and ends with the last status that was not 0', async () => {
    const program = quorate('--connect', rig.address)
    program.type('create /piped x\nget /piped\nget /nothing\n')
    program.child.stdin?.end()
    expect(await program.ended).toBe(1)
    expect([program.out, program.err]).toEqual(['Created /piped\nx\n', 'Node does not exist: /nothing\n'])
  })

  it('takes a password from the environment or a file, and from no argument', async () => {
    const env = { QUORATE_PASSWORD: 'p:/@ ?#%' }
    const piped = rig.quorate(env, '--connect', rig.address)
    piped.type('addauth digest ann\nwhoami\ncreate /mine x auth::cdrwa\n')
    piped.child.stdin?.end()
    expect(await piped.ended).toBe(0)
    expect(piped.out).toBe('Auth scheme: User\nip: 127.0.0.1\ndigest: ann\nCreated /mine\n')
    expect((await run('get', '/mine')).err).toBe('Insufficient permission : /mine\n')
    const connect = ['--connect', rig.address, '--user', 'ann']
    expect((await rig.runWith(env, ...connect, 'get', '/mine')).out).toBe('x\n')
    const file = join(rig.folder, 'password')
    writeFileSync(file, `${env.QUORATE_PASSWORD}\n`)
    expect((await rig.runWith({}, ...connect, '--password-file', file, 'get', '/mine')).out).toBe('x\n')
    expect(await rig.runWith({}, ...connect, 'get', '/mine')).toEqual({
      status: 2,
      out: '',
      err: 'no password for ann: set QUORATE_PASSWORD, or give --password-file FILE\n',
    })
  })

  it('makes users of a server, and is one of them by SASL', async () => {
    const env = { QUORATE_PASSWORD: 'of ann' }
    const made = await rig.runWith(env, 'scram-user', 'ann', '--rounds', '4096')
    expect(made).toMatchObject({ status: 0, err: '' })
    const users = join(rig.folder, 'users')
    writeFileSync(users, made.out)
    const cfg = join(rig.folder, 'sasl.cfg')
    writeFileSync(cfg, 'clientPort=0\nclientPortAddress=127.0.0.1\nsessionRequireClientSASLAuth=true\n')
    expect((await rig.runWith({}, 'server', cfg)).err).toMatch(/no file of users is named: give --users FILE/)
    const own = quorate('server', cfg, '--users', users)
    await own.printed(/serves on .*\n/)
    const connect = ['--connect', addressOf(own), '--user', 'ann']
    const whoAmI = await rig.runWith(env, ...connect, '--sasl', 'SCRAM-SHA-256', 'whoami')
    expect(whoAmI.out).toBe('Auth scheme: User\nip: 127.0.0.1\nsasl: ann\n')
    const wrong = await rig.runWith({ QUORATE_PASSWORD: 'guess' }, ...connect, '--sasl', 'SCRAM-SHA-256', 'ls', '/')
    expect(wrong).toMatchObject({ status: 1, out: '' })
    expect(wrong.err).toMatch(/did not take the proof/)
    await own.printed(/a client at 127\.0\.0\.1 failed to prove itself by sasl as ann: unknown user or wrong password/)
    expect(own.err).not.toMatch(/guess/)
    own.child.kill()
    expect(await own.ended).toBe(0)
  })

  it('warns about a password among its arguments, without it', async () => {
    const refused = await run('--connect', 'redis://ann:hush@127.0.0.1:1', '--connect-timeout', '100', 'ls', '/')
    expect(refused.err).toMatch(/^warning: everybody on this machine can read a password in a command's arguments/)
    expect(refused.err).not.toMatch(/hush/)
  })

  it('says in one line what is wrong with its options', async () => {
    const wrong = [
      [['--conect', 'x', 'ls', '/'], 'quorate has no option --conect; did you mean --connect?'],
      [['--pasword-file=SECRET'], 'quorate has no option --pasword-file; did you mean --password-file?'],
      [['--nothing-like-it'], 'quorate has no option --nothing-like-it; quorate --help lists them'],
      [['--json=yes', 'ls'], 'quorate has no option --json with a value'],
      [['--timeout', '5s'], '--timeout must be a whole number of milliseconds from 1 to 2147483647, got "5s"'],
      [['--connect'], '--connect needs a value'],
      [['--raw', 'server'], 'server runs only as the first word: quorate server --help'],
      [['--raw', 'snapshot'], 'snapshot runs only as the first word: quorate snapshot --help'],
      [['--connect', 'redis://ann:SEC/RET@h', 'ls'], 'ls: too few arguments; usage: ls [-s] [-w] [-R] path'],
    ] as const
    for (const [args, message] of wrong) {
      expect(await rig.runWith({}, ...args)).toEqual({ status: 2, out: '', err: `${message}\n` })
    }
  })

  it('works on servers in its own process', async () => {
    const program = quorate('--connect', 'embedded:?servers=3', 'whoami')
    expect([await program.ended, program.out]).toEqual([0, 'Auth scheme: User\nip: 127.0.0.1\n'])
  })
})
