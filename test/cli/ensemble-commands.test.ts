/** Commands on the servers of an ensemble: what is asked, what is printed, and what is refused before it is asked. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { EnsembleMember } from '../../src/backends/embedded/index.ts'
import { freePorts, scratchFolder } from '../engines/process.ts'
import { TestShell } from './shell-rig.ts'

const TICK_MS = 20
/** Of `super:test`. */
const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='

let server: EnsembleMember
let own = ''
const shells: TestShell[] = []

/** An ensemble of one, to which observers can be added. */
beforeAll(async () => {
  const [peer, election, client] = await freePorts(3)
  own = `127.0.0.1:${peer}:${election}:participant;127.0.0.1:${client}`
  server = embedded({
    myid: 1, servers: { 1: own }, tickMs: TICK_MS, reconfigEnabled: true, superDigest: SUPER_DIGEST,
  })
  await server.start()
})

afterEach(() => Promise.all(shells.splice(0).map(({ shell }) => shell.close())))
afterAll(() => server.close())

async function connected({ json = false, chroot = '', auth = 'super:test' } = {}): Promise<TestShell> {
  const shell = new TestShell(`${server.clientAddress}${chroot}`, { json })
  shells.push(shell)
  await shell.shell.connect()
  await shell.ok(`addauth digest ${auth}`)
  return shell
}

const OBSERVER = 'server.2=App-2:2888:3888:observer;2181'

describe('config without a path', () => {
  it('prints the servers, also below a chroot', async () => {
    const shell = await connected({ chroot: '/app' })
    expect(await shell.ok('config')).toMatch(new RegExp(`^server\\.1=${own}\\nversion=[\\da-f]+\\n$`))
    expect(await shell.ok('config -c')).toMatch(new RegExp(`^[\\da-f]+ ${server.clientAddress}\\n$`))
    expect(await shell.ok('config -s')).toMatch(/\nversion=[\da-f]+\ncZxid = 0x0\n/)
    for (const line of ['config -v 1', 'config -y', 'config get', 'config get -s /x', 'config get -c /x']) {
      expect(await shell.run(line), line).toMatchObject({ status: 2, out: '' })
    }
  })
})

describe('reconfig', () => {
  it('adds, removes and replaces, and prints what is in force', async () => {
    const shell = await connected()
    const file = scratchFolder('reconfig')
    try {
      const added = await shell.ok(`reconfig -s -add ${OBSERVER}`)
      const observer = OBSERVER.replace(';', ';0.0.0.0:')
      expect(added).toContain(`Committed new configuration:\nserver.1=${own}\n${observer}\nversion=`)
      expect(added).toContain('dataVersion = -1\n')
      const version = /version=([\da-f]+)/.exec(added)?.[1] ?? ''
      expect(await shell.json('config -c')).toMatchObject({
        version,
        servers: [{ id: 1, role: 'participant' }, { id: 2, host: 'App-2', role: 'observer', clientPort: 2181 }],
        clients: [server.clientAddress, 'App-2:2181'],
      })
      expect((await shell.run('reconfig -v 1 -remove 2')).err).toContain('version No is not valid')
      expect(await shell.ok(`reconfig -v ${version} -remove 2`)).not.toContain('server.2')
      writeFileSync(join(file.path, 'zoo.cfg'), `tickTime=1\nserver.1=${own}\n${OBSERVER}\n`)
      expect(await shell.ok(`reconfig -file ${join(file.path, 'zoo.cfg')}`)).toContain('server.2=App-2')
      expect(await shell.ok(`reconfig -members server.1=${own}`)).not.toContain('server.2')
    } finally {
      file.remove()
    }
  })

  it('says why not', async () => {
    const shell = await connected()
    const refused = async (line: string): Promise<string> => (await shell.run(line)).err
    expect(await refused('reconfig -remove 1')).toContain('Arguments are not valid')
    expect(await refused(`reconfig -add ${OBSERVER.replace('observer', 'participant')}`)).toMatch(
      /no majority of the new voters follows the leader: add new servers as observers first \(-13\)/,
    )
    const nobody = await connected({ auth: 'ann:a' })
    expect((await nobody.run(`reconfig -add ${OBSERVER}`)).err).toContain('Insufficient permission')
  })

  it.each([
    ['reconfig', 'it needs -add, -remove, -members or -file'],
    ['reconfig -add x -members y', 'without -add and -remove'],
    ['reconfig -file x -members y', 'give -members or -file'],
    ['reconfig -v x -remove 1', '-v must be a version in hexadecimal'],
    ['reconfig -file /none/zoo.cfg', 'cannot read /none/zoo.cfg'],
  ])('does not ask for what makes no sense: %s', async (line, why) => {
    const shell = await connected()
    const { status, err } = await shell.run(line)
    expect(status).not.toBe(0)
    expect(err).toContain(why)
  })
})
