/** `quorate lock`, `elect` and `run-once` as scripts use them: exit statuses, signals, and what a loss does. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../engines/process.ts'
import { addressOf, ProgramRig, START_MS_MAX } from './program-rig.ts'
import type { Ended, Program } from './program-rig.ts'

const rig = new ProgramRig()
const quorate = (...args: string[]): Program => rig.quorate({}, ...args)
const run = (...args: string[]): Promise<Ended> => rig.run(...args)

beforeAll(() => rig.start(), START_MS_MAX)

afterEach(() => rig.clear())

afterAll(async () => {
  expect(await rig.close()).toBe(0)
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
    expect(await run('lock', '/l/a')).toMatchObject({ status: 64 })
  })

  it('waits for the lock, and gives up after its time', async () => {
    const holder = quorate('--connect', rig.address, 'lock', '/l/b', '--', 'sh', '-c', 'echo held; read line')
    await holder.printed(/held/)
    const late = await run('lock', '-wait', '50', '/l/b', '--', 'echo', 'never')
    expect(late).toEqual({ status: 75, out: '', err: '/l/b was not free within 50 ms\n' })
    holder.child.stdin?.end()
    expect(await holder.ended).toBe(1)
    expect((await run('lock', '/l/b', '--', 'echo', 'now')).out).toBe('now\n')
  })

  it('ends the command when the lock is lost: SIGTERM, and SIGKILL after the grace', async () => {
    const script = 'trap "" TERM; echo held; while :; do sleep 1; done'
    const holder = quorate('--connect', rig.address, 'lock', '-grace', '50', '/l/c', '--', 'sh', '-c', script)
    await holder.printed(/held/)
    await run('deleteall', '/l/c')
    expect(await holder.ended).toBe(74)
    expect(holder.err).toMatch(/^lost the lock \/l\/c, so the command was ended: /)
  })

  it('passes signals on to the command, and releases', async () => {
    const holder = quorate('--connect', rig.address, 'lock', '/l/d', '--', 'sh', '-c', 'echo held; exec sleep 60')
    await holder.printed(/held/)
    holder.child.kill('SIGTERM')
    expect(await holder.ended).toBe(128 + 15)
    expect((await run('lock', '-wait', '5000', '/l/d', '--', 'true')).status).toBe(0)
  })

  it('tries once with -wait 0, and tells by its status why there was no lock', async () => {
    const script = 'echo held; read line'
    const holder = quorate('--connect', rig.address, 'lock', '-wait', '0', '/l/e', '--', 'sh', '-c', script)
    await holder.printed(/held/)
    const busy = { status: 75, out: '', err: 'somebody else has /l/e\n' }
    expect(await run('lock', '-wait', '0', '/l/e', '--', 'echo', 'never')).toEqual(busy)
    expect(await run('lock', '-wait', '0', '-E', '9', '/l/e', '--', 'true')).toEqual({ ...busy, status: 9 })
    expect((await run('lock', '-wait', '20', '-E', '0', '/l/e', '--', 'false')).status).toBe(0)
    const nobody = ['--connect', `127.0.0.1:${await freePort()}`, '--connect-timeout', '100']
    expect(await rig.runWith({}, ...nobody, 'lock', '/l/e', '--', 'true')).toMatchObject({ status: 69, out: '' })
    expect((await run('lock', '/l/e/', '--', 'true')).status).toBe(64)
    expect((await run('lock', '-wait', '5s', '/l/e', '--', 'true')).status).toBe(64)
    expect((await run('--conect', 'x', 'lock', '/l/e', '--', 'true')).status).toBe(64)
    await run('create', '/l/closed', '', 'world:anyone:r')
    expect(await run('lock', '/l/closed', '--', 'true')).toMatchObject({ status: 70, out: '' })
    // Nobody who gave up has left a contender.
    expect((await run('locks', 'who', '/l/e')).out.match(/holds|waits/g)).toEqual(['holds'])
  })

  it('documents its statuses, without a server', async () => {
    const nobody = ['--connect', `127.0.0.1:${await freePort()}`]
    const { status, out, err } = await rig.runWith({}, ...nobody, 'lock', '--help')
    expect([status, err]).toEqual([0, ''])
    for (const known of ['64 ', '69 ', '70 ', '74 ', '75 ', '126, 127', '128 + n', '-E status', '-wait ms']) {
      expect(out).toContain(`  ${known}`)
    }
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const)(
    'has the status of a command that ends itself on %s, and the lock is free',
    async (signal) => {
      // 1 is what this program itself ends with when a signal interrupts it.
      const script = `trap 'echo told; exit 1' ${signal.slice(3)}; echo held; while :; do sleep 0.02; done`
      const holder = quorate('--connect', rig.address, 'lock', '/l/f', '--', 'sh', '-c', script)
      await holder.printed(/held/)
      holder.child.kill(signal)
      expect(await holder.ended).toBe(1)
      expect(holder.out).toContain('told')
      expect((await run('lock', '-wait', '0', '/l/f', '--', 'true')).status).toBe(0)
    },
  )

  it('passes on a second signal too, and lives as long as the command', async () => {
    const script = `trap 'echo told' TERM; echo held; while :; do sleep 0.02; done`
    const holder = quorate('--connect', rig.address, 'lock', '/l/f', '--', 'sh', '-c', script)
    await holder.printed(/held/)
    holder.child.kill('SIGTERM')
    await holder.printed(/told/)
    expect((await run('lock', '-wait', '0', '/l/f', '--', 'true')).status).toBe(75)
    holder.child.kill('SIGTERM')
    await holder.printed(/told\s+told/)
    holder.child.kill('SIGHUP')
    expect(await holder.ended).toBe(128 + 1)
  })

  it('ends the command with status 74 when the servers go away for good', async () => {
    const own = await rig.serve()
    const script = 'trap "echo told; exit 0" TERM; echo held; while :; do sleep 0.02; done'
    const connect = ['--connect', addressOf(own), '--timeout', '1000']
    const holder = quorate(...connect, 'lock', '/l/g', '--', 'sh', '-c', script)
    await holder.printed(/held/)
    own.child.kill('SIGKILL')
    expect(await holder.ended).toBe(74)
    expect(holder.out).toBe('held\ntold\n')
    expect(holder.err).toMatch(/^lost the lock \/l\/g, so the command was ended: .*\n$/m)
  })

  it('has the status of a command that ended without a server, and says that the release waits', async () => {
    const own = await rig.serve()
    const connect = ['--connect', addressOf(own), '--timeout', '60000']
    const holder = quorate(...connect, 'lock', '/l/g', '--', 'sh', '-c', 'echo held; read line; exit 7')
    await holder.printed(/held/)
    own.child.kill('SIGKILL')
    await own.ended
    holder.child.stdin?.end()
    expect(await holder.ended).toBe(7)
    expect(holder.err).toBe('no server has confirmed the release of /l/g: it is free when the session ends\n')
  })

  it('shows others which program holds, and nobody its arguments or a password', async () => {
    const script = 'echo "held [$QUORATE_PASSWORD]"; read line'
    const args = ['--connect', rig.address, '--user', 'ann', 'lock', '/l/h', '--', 'sh', '-c', script, 'SECRET']
    const holder = rig.quorate({ QUORATE_PASSWORD: 'SECRET' }, ...args)
    await holder.printed(/held/)
    expect(holder.out).toBe('held []\n')
    const { out } = await run('locks', 'ls', '/l')
    expect(out).toMatch(new RegExp(`pid ${holder.child.pid ?? 0} on \\S+: sh\n`))
    expect(out).not.toContain('SECRET')
  })
})

describe('quorate elect', () => {
  it('runs a command while it leads, and resigns when that has ended', async () => {
    const script = 'echo $QUORATE_ELECTION_PATH $QUORATE_ELECTION_TOKEN; read line'
    const leader = quorate('--connect', rig.address, 'elect', '/e/a', '--', 'sh', '-c', script)
    await leader.printed(/^\/e\/a \d+$/m)
    const next = quorate('--connect', rig.address, 'elect', '/e/a', '--json', '--', 'sh', '-c', 'echo leads; exit 3')
    expect(await run('elect', '-wait', '0', '/e/a', '--', 'true')).toMatchObject({
      status: 75,
      err: 'somebody else leads /e/a\n',
    })
    leader.child.stdin?.end('\n')
    expect(await leader.ended).toBe(0)
    expect(await next.ended).toBe(3)
    expect(next.out).toBe('leads\n')
    const told = JSON.parse(next.err.split('\n').at(-2) ?? '') as unknown
    expect(told).toMatchObject({ leadership: { path: '/e/a', lost: false, status: 3 } })
  })

  it('ends the command when the leadership is lost', async () => {
    const leader = quorate('--connect', rig.address, 'elect', '/e/b', '--', 'sh', '-c', 'echo here; exec sleep 60')
    await leader.printed(/here/)
    await run('deleteall', '/e/b')
    expect(await leader.ended).toBe(74)
    expect(leader.err).toMatch(/^leads \/e\/b\nlost the leadership \/e\/b, so the command was ended: /)
  })
})

describe('quorate run-once', () => {
  it('runs a command once, and shows its output to whoever comes later', async () => {
    const script = `echo ran >> '${rig.folder}/once'; printf '%s' "did it"`
    const first = await run('run-once', '-data', 'night 1', '/o/a', '--', 'sh', '-c', script)
    expect(first).toEqual({ status: 0, out: 'did it', err: '' })
    const second = await run('run-once', '/o/a', '--', 'sh', '-c', script)
    expect(second).toEqual({ status: 0, out: 'did it', err: '/o/a was done before: night 1\n' })
    expect(readFileSync(`${rig.folder}/once`, 'utf8')).toBe('ran\n')
    const { out } = await run('run-once', '--json', '/o/a', '--', 'false')
    expect(JSON.parse(out)).toMatchObject({ path: '/o/a', ran: false, by: 'night 1', out: 'did it', isCut: false })
  })

  it('records nothing of a command that fails, which the next one runs again', async () => {
    expect(await run('run-once', '/o/b', '--', 'sh', '-c', 'echo no; exit 9')).toEqual({ status: 9, out: 'no\n', err: '' })
    const script = 'head -c 70000 /dev/zero | tr "\\0" x'
    const { status, out } = await run('run-once', '--json', '/o/b', '--', 'sh', '-c', script)
    const told = JSON.parse(out) as { out: string; isCut: boolean; ran: boolean }
    expect([status, told.ran, told.isCut]).toEqual([0, true, true])
    expect(told.out).toMatch(/^x{65535}$/)
  })

  it('waits for somebody else who does it, no longer than its time, and ends when it loses the right', async () => {
    const script = 'echo begun; exec sleep 60'
    const first = quorate('--connect', rig.address, 'run-once', '-grace', '50', '/o/c', '--', 'sh', '-c', script)
    await first.printed(/begun/)
    expect(await run('run-once', '-wait', '50', '/o/c', '--', 'true')).toEqual({
      status: 75,
      out: '',
      err: 'somebody else was at /o/c for 50 ms\n',
    })
    const waiting = quorate('--connect', rig.address, 'run-once', '/o/c', '--', 'echo', 'second')
    await run('deleteall', '/o/c-lock')
    expect(await first.ended).toBe(74)
    expect(await waiting.ended).toBe(0)
    expect(waiting.out).toBe('second\n')
    expect(await run('run-once', '-wait', '0', '/o/d', '--', 'true')).toMatchObject({ status: 64 })
  })

  it('passes a signal on to the command, and records nothing', async () => {
    const first = quorate('--connect', rig.address, 'run-once', '/o/e', '--', 'sh', '-c', 'echo begun; exec sleep 60')
    await first.printed(/begun/)
    first.child.kill('SIGTERM')
    expect(await first.ended).toBe(128 + 15)
    expect((await run('stat', '/o/e')).status).toBe(1)
  })
})
