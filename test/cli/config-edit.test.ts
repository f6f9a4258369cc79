/** `config edit`, with an editor that is a program: what is published, what is not, and what is kept. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ShellRig, TestShell } from './shell-rig.ts'

const rig = new ShellRig()
let shell: TestShell
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-edit-'))
  await rig.start()
  shell = new TestShell(`zookeeper://${rig.address}`, { isInteractive: false })
  await shell.shell.connect()
})

afterEach(() => vi.unstubAllEnvs())

afterAll(async () => {
  await shell.shell.close()
  await rig.close()
  rmSync(folder, { recursive: true })
})

/** The file that a failure says the text is kept in; it is removed. */
function keptText(err: string): string {
  const file = /kept in (\S+)\n$/.exec(err)?.[1] ?? ''
  const text = readFileSync(file, 'utf8')
  rmSync(join(file, '..'), { recursive: true })
  return text
}

describe('config edit', () => {
  it('publishes what the editor leaves, and shows what has changed', async () => {
    await shell.ok(`config set /edit '{"rate":50,"old":true}'`)
    const seen = join(folder, 'seen')
    vi.stubEnv('VISUAL', '')
    vi.stubEnv('EDITOR', `sh -c 'cp "$1" ${seen}; echo "{\\"rate\\":60,\\"new\\":[1]}" > "$1"' sh`)
    const { status, err } = await shell.run('config edit -y /edit')
    expect([status, err]).toEqual([0, '~ /rate: 50 -> 60\n- /old: true\n+ /new: [1]\n'])
    expect(readFileSync(seen, 'utf8')).toBe('{\n  "rate": 50,\n  "old": true\n}\n')
    expect(await shell.ok('config get /edit')).toBe('{"rate":60,"new":[1]}\n')
    const { out } = await shell.run('config --json edit -y /edit')
    expect(JSON.parse(out)).toEqual({ path: '/edit', version: 1, changed: false })
  })

  it('makes a value that is not there', async () => {
    vi.stubEnv('VISUAL', 'echo 7 >')
    expect((await shell.run('config edit -y /edit-new')).err).toBe('+ the value: 7\n')
    expect(await shell.ok('config get /edit-new')).toBe('7\n')
  })

  it('writes nothing over what somebody else has published meanwhile, and keeps the text', async () => {
    await shell.ok(`config set /race '1'`)
    const other = await rig.shell()
    const gate = join(folder, 'gate')
    vi.stubEnv('VISUAL', `sh -c 'echo 2 > "$1"; echo > ${gate}; until test -e ${gate}-open; do sleep 0.01; done' sh`)
    const editing = shell.run('config edit -y /race')
    while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 5))
    await other.ok(`config set /race '3'`)
    writeFileSync(`${gate}-open`, '')
    const { status, err } = await editing
    expect(status).toBe(1)
    expect(err).toMatch(/^~ the value: 1 -> 2\nsomebody else has changed it meanwhile, and nothing was written; your/)
    expect(keptText(err)).toBe('2\n')
    expect(await shell.ok('config get /race')).toBe('3\n')
  })

  it('refuses what is no JSON or does not match the schema, and keeps the text', async () => {
    await shell.ok(`config set /valid '1'`)
    vi.stubEnv('VISUAL', 'echo "{" >')
    const broken = await shell.run('config edit -y /valid')
    expect([broken.status, keptText(broken.err)]).toEqual([1, '{\n'])
    const schema = join(folder, 'schema.mjs')
    const validate = '(value) => typeof value === "number" ? { value } : { issues: [{ message: "no number" }] }'
    writeFileSync(schema, `export default { '~standard': { version: 1, vendor: 'test', validate: ${validate} } }\n`)
    vi.stubEnv('VISUAL', `echo '"x"' >`)
    const invalid = await shell.run(`config edit -y -schema ${schema} /valid`)
    expect(invalid.err).toMatch(/no number.*\nit was not published; your text is kept in /s)
    expect(keptText(invalid.err)).toBe('"x"\n')
    vi.stubEnv('VISUAL', 'echo 2 >')
    expect((await shell.run(`config edit -y -schema ${schema} /valid`)).status).toBe(0)
    expect(await shell.ok('config get /valid')).toBe('2\n')
  })

  it('says what stands in its way', async () => {
    vi.stubEnv('VISUAL', 'false')
    const failed = await shell.run('config edit -y /valid')
    expect(failed.err).toMatch(/^false ended with status 1, and nothing was published; your text is kept in /)
    keptText(failed.err)
    expect((await shell.run('config edit -y -schema /no/such.mjs /valid')).err).toMatch(/^cannot load the schema /)
    expect((await shell.run('config edit /valid')).err).toMatch(/which needs a terminal; -y publishes without\n$/)
    await shell.ok('create /no-json text')
    const { err } = await shell.run('config edit -y /no-json')
    expect(err).toBe('/no-json holds no JSON: set or import can replace it\n')
    expect((await shell.run('config get -y /valid')).err).toMatch(/^config: get has no flag -y;/)
    const typed = await rig.shell()
    expect((await typed.run('config edit /valid')).err).toMatch(/needs the terminal: quorate config edit \/valid\n$/)
  })
})
