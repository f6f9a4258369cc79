/** The compiled program as people and scripts start it: what it prints, how it ends, and what it does to signals. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findProgram, freePort, reasonToSkip } from '../engines/process.ts'
import { compileInto, scratchFolder } from '../testing/simulation/compiled.ts'

/** A run of the program. */
class Program {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  out = ''
  err = ''

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...env } })
    this.child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()))
    this.child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()))
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', resolve)
    })
  }

  type(text: string): void {
    this.child.stdin?.write(text)
  }

  /** Waits until it has printed something; on standard output, behind the first `from` characters. */
  async printed(pattern: RegExp, from = 0): Promise<void> {
    let isOver = false
    void this.ended.then(() => (isOver = true))
    while (!pattern.test(this.out.slice(from) + this.err)) {
      if (isOver) throw new Error(`it ended without ${String(pattern)}:\n${this.out}\n${this.err}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

const folder = scratchFolder()
const main = join(folder, 'dist/cli/main.js')
const running = new Set<Program>()
let server: Program
let address: string

function quorate(...args: string[]): Program {
  const program = new Program(process.execPath, [main, ...args], { XDG_STATE_HOME: folder })
  running.add(program)
  return program
}

/** Runs one command against the server to its end. */
async function run(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  const program = quorate('--connect', address, ...args)
  program.child.stdin?.end()
  const status = await program.ended
  return { status, out: program.out, err: program.err }
}

beforeAll(async () => {
  compileInto(join(folder, 'dist'))
  copyFileSync('package.json', join(folder, 'package.json'))
  chmodSync(main, 0o755)
  server = quorate('server', '--client-port', '0')
  await server.printed(/\n/)
  address = /serves on (\S+)/.exec(server.out)?.[1] ?? ''
  running.delete(server)
})

afterEach(async () => {
  for (const program of running) program.child.kill('SIGKILL')
  await Promise.all([...running].map(({ ended }) => ended))
  running.clear()
})

afterAll(async () => {
  server.child.kill('SIGTERM')
  expect(await server.ended).toBe(0)
  rmSync(folder, { recursive: true })
})

describe('quorate server', () => {
  it('is a program of its own, which says in one line that it serves', () => {
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(statSync(main).mode & 0o111).toBe(0o111)
    expect(server.out).toBe(`quorate serves on ${address} (in memory; pid ${server.child.pid ?? 0})\n`)
    expect(server.err).toBe('')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with status 0 on %s, even with clients', async (signal) => {
    const own = quorate('server', '--client-port=0')
    await own.printed(/\n/)
    const client = quorate('--connect', /serves on (\S+)/.exec(own.out)?.[1] ?? '')
    client.type('create /a\n')
    await client.printed(/Created/)
    own.child.kill(signal)
    expect(await own.ended).toBe(0)
    expect(own.err).toBe('')
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
    const file = join(folder, 'zoo.cfg')
    writeFileSync(file, `tickTime=2000\nclientPort=${port}\nclientPortAddress=127.0.0.1\ndataDir=/data\ncolour=blue\n`)
    const own = quorate('server', file)
    await own.printed(/serves on/)
    expect(own.out).toContain(`quorate serves on 127.0.0.1:${port} (`)
    expect(own.err).toBe(
      `${file}:5: unknown key colour: ignored\n` +
        `${file}:4: dataDir: data are kept in memory only: /data is neither read nor written\n`,
    )
    const client = quorate('--connect', `127.0.0.1:${port}`, 'create', '-t', '1000', '/ttl')
    expect(await client.ended).toBe(1)
  })

  it('refuses a wrong value with file and line, and status 1', async () => {
    const file = join(folder, 'wrong.cfg')
    writeFileSync(file, 'tickTime=2000\nclientPort=none\n')
    const own = quorate('server', file)
    expect(await own.ended).toBe(1)
    expect(own.err).toBe(`${file}:2: clientPort must be a whole number from 0 to 65535, got "none"\n`)
  })

  it.each([
    [['--data-dir', '/data'], /^--data-dir: not there yet: .* in memory/],
    [['--client-port', 'x'], /^--client-port must be a port from 0 to 65535, got "x"\n$/],
    [['one.cfg', 'two.cfg'], /^server takes one configuration file, got one.cfg two.cfg\n$/],
    [['--port', '1'], /^server: Unknown option '--port'/],
  ])('does not understand %j, with status 2', async (args, message) => {
    const own = quorate('server', ...args)
    expect(await own.ended).toBe(2)
    expect(own.err).toMatch(message)
  })
})

describe('one command', () => {
  it('prints its result, and ends with 0 if it is done, 1 if not, 2 if not understood', async () => {
    expect(await run('create', '/one', 'a b')).toEqual({ status: 0, out: 'Created /one\n', err: '' })
    expect(await run('get', '/one')).toEqual({ status: 0, out: 'a b\n', err: '' })
    expect(await run('get', '/two')).toEqual({ status: 1, out: '', err: 'Node does not exist: /two\n' })
    const unknown = { status: 2, out: '', err: 'Command not found got; help lists the commands\n' }
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
    const waiting = quorate('--connect', address, '--json', 'get', '-w', '/watched')
    await waiting.printed(/version/)
    await run('set', '/watched', 'x')
    expect(await waiting.ended).toBe(0)
    expect(waiting.out.split('\n')[1]).toBe(
      '{"event":{"type":"NodeDataChanged","state":"SyncConnected","path":"/watched"}}',
    )
    const interrupted = quorate('--connect', address, 'stat', '-w', '/watched')
    await interrupted.printed(/numChildren/)
    interrupted.child.kill('SIGINT')
    expect(await interrupted.ended).toBe(130)
  })

  it('reads commands from a pipe, and ends with the last status that was not 0', async () => {
    const program = quorate('--connect', address)
    program.type('create /piped x\nget /piped\nget /nothing\n')
    program.child.stdin?.end()
    expect(await program.ended).toBe(1)
    expect([program.out, program.err]).toEqual(['Created /piped\nx\n', 'Node does not exist: /nothing\n'])
  })

  it('works on servers in its own process', async () => {
    const program = quorate('--connect', 'embedded:?servers=3', 'whoami')
    expect([await program.ended, program.out]).toEqual([0, 'Auth scheme: User\nip: 127.0.0.1\n'])
  })
})

describe('quorate lock', () => {
  it('runs a command while it holds the lock, and ends as the command does', async () => {
    const script = 'echo $QUORATE_LOCK_PATH $QUORATE_LOCK_TOKEN; exit 7'
    const { status, out } = await run('lock', '/l/a', '--', 'sh', '-c', script)
    expect(status).toBe(7)
    expect(out).toMatch(/^\/l\/a \d+\n$/)
    expect((await run('lock', '/l/a', '--', 'true')).status).toBe(0)
    expect((await run('locks', 'who', '/l')).out).toBe('nobody\n')
    expect(await run('lock', '/l/a', '--', 'no-such-program')).toMatchObject({ status: 127 })
    expect(await run('lock', '/l/a')).toMatchObject({ status: 2 })
  })

  it('waits for the lock, and gives up after its time', async () => {
    const holder = quorate('--connect', address, 'lock', '/l/b', '--', 'sh', '-c', 'echo held; read line')
    await holder.printed(/held/)
    const late = await run('lock', '-wait', '50', '/l/b', '--', 'echo', 'never')
    expect(late).toEqual({ status: 1, out: '', err: '/l/b was not free within 50 ms\n' })
    holder.child.stdin?.end()
    expect(await holder.ended).toBe(1)
    expect((await run('lock', '/l/b', '--', 'echo', 'now')).out).toBe('now\n')
  })

  it('ends the command when the lock is lost: SIGTERM, and SIGKILL after the grace', async () => {
    const script = 'trap "" TERM; echo held; while :; do sleep 1; done'
    const holder = quorate('--connect', address, 'lock', '-grace', '50', '/l/c', '--', 'sh', '-c', script)
    await holder.printed(/held/)
    await run('deleteall', '/l/c')
    expect(await holder.ended).toBe(1)
    expect(holder.err).toMatch(/^lost the lock \/l\/c, so the command was ended: /)
  })

  it('passes signals on to the command, and releases', async () => {
    const holder = quorate('--connect', address, 'lock', '/l/d', '--', 'sh', '-c', 'echo held; exec sleep 60')
    await holder.printed(/held/)
    holder.child.kill('SIGTERM')
    expect(await holder.ended).toBe(128 + 15)
    expect((await run('lock', '-wait', '5000', '/l/d', '--', 'true')).status).toBe(0)
  })
})

const skips = reasonToSkip('script', findProgram('script') !== null)

describe.skipIf(skips !== null)(`the shell at a terminal${skips === null ? '' : ` (${skips})`}`, () => {
  /** A shell in a pseudo terminal of its own. */
  async function terminal(): Promise<Program> {
    const command = `'${process.execPath}' '${main}' --connect ${address}`
    const env = { XDG_STATE_HOME: folder, TERM: 'xterm', COLUMNS: '80', LINES: '24' }
    const program = new Program('script', ['-qefc', command, '/dev/null'], env)
    running.add(program)
    await program.printed(/\(CONNECTED\) 0\] /)
    return program
  }

  it('completes, prints events without harm to the line, and remembers lines for the next run', async () => {
    const shell = await terminal()
    shell.type('create /term hello\r')
    await shell.printed(/Created \/term/)
    shell.type('get -w /ter')
    await shell.printed(/get -w \/ter/)
    // What comes together with other keys is pasted, and a tab in it is a tab.
    shell.type('\t')
    await shell.printed(/get -w \/ter.*m/)
    shell.type('\r')
    await shell.printed(/hello\r\n.*\(CONNECTED\) 2\] /)
    shell.type('set /term "half a')
    await shell.printed(/half a/)
    const before = shell.out.length
    await run('set', '/term', 'other')
    // The prompt, and what was typed behind it, are drawn again.
    await shell.printed(/path:\/term\r\n.*2\] .*set \/term "half a/s, before)
    shell.type(' line"\r')
    await shell.printed(/\(CONNECTED\) 3\] /)
    expect((await run('get', '/term')).out).toBe('half a line\n')
    shell.type('quit\r')
    expect(await shell.ended).toBe(0)

    const next = await terminal()
    next.type('\u001b[A\u001b[A')
    await next.printed(/set \/term "half a line"/)
    next.type('\u0003')
    await next.printed(/\^C/)
    next.type('\u0004')
    expect(await next.ended).toBe(0)
  })
})
