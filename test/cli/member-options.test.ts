import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { memberOptionsOf } from '../../src/cli/member-options.ts'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'

const FILE = 'zoo.cfg'
const LIMITS = 'tickTime=2000\ninitLimit=10\nsyncLimit=5\n'
const SERVERS = 'server.1=127.0.0.1:1:2\nserver.2=app-2:1:2;3\nserver.3=127.0.0.1:3:4:observer\n'
const folder = mkdtempSync(join(tmpdir(), 'quorate-myid-'))

afterAll(() => rmSync(folder, { recursive: true }))

function read(text: string, more: { myid?: string; port?: number; dataDir?: string } = {}) {
  const { myid, port, dataDir = null } = more
  return memberOptionsOf(readZooCfg(text, FILE), { file: FILE, myid, port, options: { dataDir, tickMs: 50 } })
}

describe('a server of several', () => {
  it('has the limits of its configuration in ticks of its own, and a port for clients', () => {
    const { options, notices } = read(LIMITS + SERVERS, { myid: '1' })
    expect(options).toMatchObject({ myid: 1, initLimitTicks: 400, syncLimitTicks: 200, clientPort: 2181 })
    expect(notices).toEqual([])
    expect(read(LIMITS + SERVERS, { myid: '2' }).options).not.toHaveProperty('clientPort')
    const more = `${LIMITS}${SERVERS}quorumListenOnAllIPs=true\ncnxTimeout=900\n`
    expect(read(more, { myid: '1', port: 7 }).options).toMatchObject({
      peerListenHost: '0.0.0.0', connectTimeoutMs: 900, clientPort: 7,
    })
  })

  it('reads which one it is from its data directory', () => {
    writeFileSync(join(folder, 'myid'), ' 3\n')
    expect(read(LIMITS + SERVERS, { dataDir: folder }).options.myid).toBe(3)
    writeFileSync(join(folder, 'myid'), 'three')
    expect(() => read(LIMITS + SERVERS, { dataDir: folder })).toThrow('must hold a whole number from 1 to 254')
    const none = join(folder, 'none')
    expect(() => read(LIMITS + SERVERS, { dataDir: none })).toThrow(/cannot read which server .*none\/myid/)
  })

  it.each([
    [SERVERS, '1', 'zoo.cfg: an ensemble needs initLimit in ticks, from 1 on, such as 10'],
    [`initLimit=1\n${SERVERS}`, '1', 'zoo.cfg: an ensemble needs syncLimit in ticks, from 1 on, such as 5'],
    [LIMITS + SERVERS, '4', 'there is no server.4, and this is server 4; there are server.1, server.2, server.3'],
    [LIMITS + SERVERS, 'one', '--myid must be a whole number from 1 to 254, got "one"'],
    [LIMITS + SERVERS, undefined, 'zoo.cfg: say which server this is: by dataDir and its file myid, or by --myid'],
    [`${LIMITS}server.1=a:1:2\nserver.2=a:2:3`, '1', 'zoo.cfg: a:2 is the election port of server 1 and'],
  ])('does not start on %j as %s', (text, myid, message) => {
    expect(() => read(text, myid === undefined ? {} : { myid })).toThrow(message)
  })

  it('warns of a peerType that is not its own', () => {
    expect(read(`${LIMITS}${SERVERS}peerType=observer`, { myid: '2' }).notices).toEqual([
      'zoo.cfg: peerType is observer, and the server line says participant: the line holds',
    ])
  })
})
