/** `quorate ensemble`: real processes, from the first start to the next one on the same directory. */
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { connect } from '../../src/core/connect.ts'
import { CLIENT_PORT_MAX } from '../../src/cli/ensemble-directory.ts'
import { ProgramRig, START_MS_MAX } from './program-rig.ts'
import type { Program } from './program-rig.ts'

const LINE = /^server (\d) serves on (127\.0\.0\.1:\d+), (leader|follower) \((.*); pid (\d+)\)$/gm
const START_AND_END_MS_MAX = 60_000

const rig = new ProgramRig()
beforeAll(() => rig.start(), START_MS_MAX)
afterEach(() => rig.clear())
afterAll(() => rig.close())

interface Served {
  readonly id: number
  readonly address: string
  readonly role: string
  readonly dataDir: string
  readonly pid: number
}

function servedOf(program: Program): Served[] {
  return [...program.out.matchAll(LINE)].map(([, id, address = '', role = '', dataDir = '', pid]) => {
    return { id: Number(id), address, role, dataDir, pid: Number(pid) }
  }).sort((a, b) => a.id - b.id)
}

/** An ensemble that has printed all of its lines. */
async function started(folder: string, ...options: string[]): Promise<{ program: Program; served: Served[] }> {
  const program = rig.quorate({}, 'ensemble', folder, ...options)
  await program.printed(/(?:serves on[^]*){3}pid \d+\)\n/)
  return { program, served: servedOf(program) }
}

function addressesOf(served: readonly Served[]): string {
  return served.map(({ address }) => address).join(',')
}

function isUp(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function untilDown(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isUp), { timeout: START_AND_END_MS_MAX }).toEqual([])
}

describe('quorate ensemble', () => {
  it('starts servers, one line each, ends all at a signal, and starts again with what they hold', async () => {
    const folder = join(rig.folder, 'again')
    const first = await started(folder, '--servers', '3', '--client-port', '0')
    expect(first.served.map(({ id }) => id)).toEqual([1, 2, 3])
    expect(first.served.map(({ role }) => role).sort()).toEqual(['follower', 'follower', 'leader'])
    expect(first.program.out.trim().split('\n')).toHaveLength(3)
    expect(first.program.err).toBe('')
    const client = await connect(zookeeper(addressesOf(first.served)))
    await client.create('/kept', 'yes')
    await client.close()
    first.program.child.kill('SIGINT')
    expect(await first.program.ended).toBe(0)
    expect(first.served.map(({ pid }) => isUp(pid))).toEqual([false, false, false])

    const second = await started(folder)
    expect(second.served.map(({ address }) => address)).toEqual(first.served.map(({ address }) => address))
    await using reader = await connect(zookeeper(addressesOf(second.served)))
    expect(Buffer.from((await reader.get('/kept')).data).toString()).toBe('yes')
  }, START_AND_END_MS_MAX)

  it('writes a configuration and a myid for each server, with which it starts alone too', async () => {
    const folder = join(rig.folder, 'files')
    const { program, served } = await started(folder, '--client-port', '0')
    expect(readdirSync(folder).sort()).toEqual(['server-1', 'server-2', 'server-3'])
    expect(served.map(({ dataDir }) => readFileSync(join(dataDir, 'myid'), 'utf8'))).toEqual(['1\n', '2\n', '3\n'])
    const killed = served.find(({ role }) => role === 'leader')
    process.kill(killed?.pid ?? 0, 'SIGKILL')
    await program.printed(/server \d ended with SIGKILL; a majority is 2 of 3/)
    const alone = rig.quorate({}, 'server', join(killed?.dataDir ?? '', 'zoo.cfg'))
    await alone.printed(/serves on/)
    expect(alone.out).toContain(`server ${killed?.id} of 3 serves on ${killed?.address}`)
    await using client = await connect(zookeeper(killed?.address ?? ''))
    await client.create('/after', 'x')
  }, START_AND_END_MS_MAX)

  it('leaves no server when it is killed itself', async () => {
    const { program, served } = await started(join(rig.folder, 'killed'), '--client-port', '0')
    program.child.kill('SIGKILL')
    await program.ended
    await untilDown(served.map(({ pid }) => pid))
  }, START_AND_END_MS_MAX)

  it('says why a server cannot start, and ends the others', async () => {
    const folder = join(rig.folder, 'taken')
    const { program, served } = await started(folder, '--client-port', '0')
    program.child.kill('SIGTERM')
    await program.ended
    const port = Number(served[1]?.address.split(':')[1])
    const other = createServer().listen(port, '127.0.0.1')
    try {
      const again = rig.quorate({}, 'ensemble', folder)
      expect(await again.ended).toBe(1)
      expect(again.err).toContain('server 2 cannot start: ')
      expect(again.err).toContain(String(port))
      // The others are a majority: they may serve before that is known.
      expect(again.out).not.toContain('server 2')
    } finally {
      other.close()
    }
  }, START_AND_END_MS_MAX)

  it('writes nothing where a port of a new ensemble is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const folder = join(rig.folder, 'ports')
    try {
      // The port of the second server.
      const program = rig.quorate({}, 'ensemble', folder, '--client-port', String(port - 1))
      expect(await program.ended).toBe(1)
      expect(program.err).toContain(`cannot use port ${port} of 127.0.0.1`)
      expect(program.err.trim().split('\n')).toHaveLength(1)
      expect(readdirSync(folder)).toEqual([])
    } finally {
      other.close()
    }
  })

  it('ends with status 1 when all servers have ended', async () => {
    const { program, served } = await started(join(rig.folder, 'all'), '--client-port', '0')
    for (const { pid } of served) process.kill(pid, 'SIGKILL')
    expect(await program.ended).toBe(1)
    expect(program.err).toContain('all servers have ended\n')
  }, START_AND_END_MS_MAX)

  it('uses no directory that holds something else, another ensemble, or that was moved', async () => {
    const folder = join(rig.folder, 'other')
    mkdirSync(folder)
    writeFileSync(join(folder, 'notes'), '')
    const other = await rig.runWith({}, 'ensemble', folder)
    expect(other).toEqual({
      status: 1,
      out: '',
      err: `${folder} is not empty, and holds no ensemble: give another directory\n`,
    })
    const ours = join(rig.folder, 'ours')
    const { program } = await started(ours, '--client-port', '0')
    program.child.kill('SIGTERM')
    await program.ended
    const five = await rig.runWith({}, 'ensemble', ours, '--servers', '5')
    expect(five.err).toMatch(/ours holds an ensemble of 3 servers from client port \d+ on: /)
    const elsewhere = await rig.runWith({}, 'ensemble', ours, '--client-port', '2181')
    expect(elsewhere.err).toMatch(/start it as it is/)
    const moved = join(rig.folder, 'moved')
    renameSync(ours, moved)
    const after = await rig.runWith({}, 'ensemble', moved)
    expect(after.status).toBe(1)
    expect(after.err).toMatch(/server-1\/zoo.cfg: dataDir is .*ours\/server-1, and must be .*moved\/server-1: /)
    expect(existsSync(ours)).toBe(false)
  }, START_AND_END_MS_MAX)

  it('forwards what a server says of its configuration', async () => {
    const folder = join(rig.folder, 'notices')
    const { program } = await started(folder, '--client-port', '0')
    program.child.kill('SIGTERM')
    await program.ended
    appendFileSync(join(folder, 'server-3', 'zoo.cfg'), 'autopurge.purgeInterval=1\n')
    const again = await started(folder)
    await again.program.printed(/autopurge/)
    expect(again.program.err).toMatch(/^server 3: .*autopurge\.purgeInterval.*\n$/)
  }, START_AND_END_MS_MAX)

  it('refuses wrong arguments with status 2, in one line', async () => {
    const wrong: readonly (readonly string[])[] = [
      [],
      ['a', 'b'],
      ['a', '--servers', '1'],
      ['a', '--servers', 'x'],
      ['a', '--client-port', String(CLIENT_PORT_MAX)],
      ['a', '--port', '1'],
    ]
    for (const args of wrong) {
      const { status, err } = await rig.runWith({}, 'ensemble', ...args)
      expect({ args, status, lines: err.trim().split('\n').length }).toEqual({ args, status: 2, lines: 1 })
    }
    expect(existsSync('a')).toBe(false)
    expect((await rig.runWith({}, 'ensemble', '--help')).out).toContain('usage: quorate ensemble DIR')
  }, START_AND_END_MS_MAX)
})
