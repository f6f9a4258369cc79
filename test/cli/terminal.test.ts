/** The program at a terminal: editing, events, secrets, and what others have written. */
import { readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findProgram, reasonToSkip } from '../engines/process.ts'
import { ProgramRig, START_MS_MAX } from './program-rig.ts'
import type { Ended, Program } from './program-rig.ts'

const rig = new ProgramRig()
const run = (...args: string[]): Promise<Ended> => rig.run(...args)

beforeAll(() => rig.start(), START_MS_MAX)

afterEach(() => rig.clear())

afterAll(async () => {
  expect(await rig.close()).toBe(0)
})

const skips = reasonToSkip('script', findProgram('script') !== null)

describe.skipIf(skips !== null)(`the shell at a terminal${skips === null ? '' : ` (${skips})`}`, () => {
  /** A connected shell in a pseudo terminal of its own. */
  async function terminal(...args: string[]): Promise<Program> {
    const program = rig.terminal({}, '--connect', rig.address, ...args)
    await program.printed(/\(CONNECTED\) 0\] /)
    return program
  }

  it('completes, prints events without harm to the line, and remembers lines for the next run', async () => {
    const shell = await terminal()
    shell.type('create /term hello\r')
    await shell.printed(/Created \/term/)
    shell.type('get -w /ter')
    await shell.printed(/get -w \/ter/)
    // Keys that come together are pasted text, and a tab in it is a tab.
    shell.type('\t')
    await shell.printed(/get -w \/ter.*m/)
    shell.type('\r')
    await shell.printed(/hello\r\n.*\(CONNECTED\) 2\] /)
    shell.type('set /term "half a')
    await shell.printed(/half a/)
    const before = shell.out.length
    await run('set', '/term', 'other')
    // The prompt, and the text typed after it, are drawn again.
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

  it('shows what others have written, and does nothing that it says', async () => {
    const evil = 'a\u001b[2Jb\rc\u202ed\u009be'
    const name = 'n\u202e\u200bm'
    await run('create', '/evil', evil)
    await run('create', `/evil/${name}`, 'x')
    await run('create', '/evil/_c_00000000-0000-0000-0000-000000000000-lock-0000000000', evil)
    const shell = await terminal()
    const shows = async (line: string, pattern: RegExp): Promise<void> => {
      const before = shell.out.length
      shell.type(`${line}\r`)
      await shell.printed(pattern, before)
    }
    const data = /a\\x1b\[2Jb\\rc\\u\{202e\}d\\x9be/
    const shown = /n\\u\{202e\}\\u\{200b\}m/
    await shows('get /evil', data)
    await shows('locks who /evil', data)
    await shows('locks ls /', data)
    await shows('members /evil', /MEMBER|nobody/)
    await shows('ls /evil', shown)
    await shows('ls -R /evil', shown)
    await shows('tree /evil', shown)
    await shows('tree --json /evil', /n\\u202e\\u200bm/)
    await shows('addWatch /evil', /\(CONNECTED\) \d+\] /)
    const before = shell.out.length
    await run('set', `/evil/${name}`, 'y')
    await shell.printed(/NodeDataChanged path:\/evil\/n\\u\{202e\}\\u\{200b\}m/, before)
    // A name that would not show as it is cannot be completed either.
    shell.type('ls /evil/n')
    await shell.printed(/ls \/evil\/n$/, before)
    shell.type('\t')
    shell.type('\u0003quit\r')
    expect(await shell.ended).toBe(0)
    expect(shell.out).not.toMatch(/\u001b\[2J|[\u202e\u200b\u009b]/)
  })

  it('shows it as it is with --raw, and to whatever is no terminal', async () => {
    await run('create', '/raw', 'a\u202eb\u001b[5m')
    expect((await run('get', '/raw')).out).toBe('a\u202eb\u001b[5m\n')
    const one = (...args: string[]): Promise<number | null> => {
      const program = rig.terminal({}, '--connect', rig.address, ...args)
      return program.ended.then(() => program.out.indexOf('a\u202eb\u001b[5m'))
    }
    expect(await one('--raw', 'get', '/raw')).toBe(0)
    expect(await one('get', '/raw')).toBe(-1)
  })

  it('asks for passwords without showing them, and remembers none of them', async () => {
    const shell = await terminal('--user', 'eve', '--password-file', '/etc/hostname')
    shell.type('addauth digest ann\r')
    await shell.printed(/Password of ann: /)
    shell.type('SECRET')
    shell.type('\r')
    await shell.printed(/\(CONNECTED\) 1\] /)
    shell.type('whoami\r')
    await shell.printed(/digest: eve\r\ndigest: ann/)
    shell.type('addauth digest bob:SECRET\r')
    await shell.printed(/\(CONNECTED\) 3\] /)
    shell.type('connect -p redis://ann@127.0.0.1:1\r')
    await shell.printed(/Password: /)
    shell.type('\u0003')
    await shell.printed(/interrupted/)
    const before = shell.out.length
    shell.type('history\r')
    await shell.printed(/2 - addauth \*\*\*\r\n3 - connect \*\*\*/, before)
    const typed = shell.out.length
    // Nothing is kept between whoami and history.
    shell.type('\u001b[A\u001b[A')
    await shell.printed(/whoami/, typed)
    shell.type('\u0003quit\r')
    expect(await shell.ended).toBe(0)
    expect(shell.out.slice(typed)).not.toContain('addauth digest')
    expect(shell.out.replace('addauth digest bob:SECRET', '')).not.toContain('SECRET')
    expect(readFileSync(join(rig.folder, 'quorate/history'), 'utf8')).not.toMatch(/SECRET|addauth digest bob/)
  })

  it('asks for the password of one command', async () => {
    const asks = rig.terminal({}, '--connect', rig.address, '--user', 'ann', '--ask-password', 'whoami')
    await asks.printed(/Password of ann: /)
    asks.type('SECRET\r')
    expect(await asks.ended).toBe(0)
    expect(asks.out).toContain('digest: ann')
    expect(asks.out).not.toContain('SECRET')
  })

  it('shows top on the other screen until q, and leaves the terminal as it was', async () => {
    const top = rig.terminal({}, 'top', '--connect', rig.address, '--every', '0.1')
    await top.printed(/\u001b\[\?1049h.*serving.*no lock is in use/s)
    top.type('q')
    expect(await top.ended).toBe(0)
    expect(top.out).toMatch(/\u001b\[\?25h\u001b\[\?1049l$/)
  })

  it('asks before it publishes what config edit has changed', async () => {
    await run('config', 'set', '/asked', '{"rate":1}')
    const env = { VISUAL: 'sed -i s/1/2/' }
    const edit = rig.terminal(env, '--connect', rig.address, 'config', 'edit', '/asked')
    await edit.printed(/~ \/rate: 1 -> 2.*Publish\? \[y\/N\]/s)
    edit.type('y\r')
    expect(await edit.ended).toBe(0)
    const declined = rig.terminal({ VISUAL: 'sed -i s/2/3/' }, '--connect', rig.address, 'config', 'edit', '/asked')
    await declined.printed(/Publish\?/)
    declined.type('n\r')
    expect(await declined.ended).toBe(1)
    const file = /your text is kept in (\S+)/.exec(declined.out)?.[1] ?? ''
    expect(readFileSync(file, 'utf8')).toBe('{\n  "rate": 3\n}\n')
    rmSync(dirname(file), { recursive: true })
    expect((await run('config', 'get', '/asked')).out).toBe('{"rate":2}\n')
  })
})

describe('quorate completion', () => {
  it('has the options that the help of each program names', async () => {
    const script = await rig.runWith({}, 'completion', 'bash')
    expect(script.out).toMatch(/^ {4}dashboard\) words='--connect [^']*--read-write/m)
    expect(script.out).toMatch(/^ {4}backup\) words='--to --log-dir --json --help' ;;/m)
    expect(script.out).toMatch(/^ {4}doctor\) words='[^']*--stuck-after/m)
  })
})
