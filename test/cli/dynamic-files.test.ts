/** The configuration files that a server keeps up to date: what is in them, and what of zoo.cfg stays. */
import { chmodSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DynamicFiles } from '../../src/cli/dynamic-files.ts'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'
import { scratchFolder } from '../engines/process.ts'

const CFG = `# Ours, since 2019
tickTime=2000
dataDir=/data
clientPort=2181

server.1=a:2888:3888
server.2=b:2888:\\
  3888
peerType=participant
# caf\u00e9
DigestAuthenticationProvider.superDigest=super:x
`
const TEXT = [
  'server.1=a:2888:3888:participant;0.0.0.0:2181', 'server.2=b:2888:3888:observer;0.0.0.0:2181', 'version=1a0',
]

let scratch: ReturnType<typeof scratchFolder>
let file: string
const errors: unknown[] = []

beforeEach(() => {
  scratch = scratchFolder('dynamic')
  file = join(scratch.path, 'zoo.cfg')
  // As an editor for Latin-1 writes it.
  writeFileSync(file, CFG, 'latin1')
})

afterEach(() => {
  scratch.remove()
  expect(errors.splice(0)).toEqual([])
})

async function keep(version: bigint, lines: readonly string[], { path = file, myid = 1 } = {}): Promise<void> {
  const files = new DynamicFiles(path, myid, (_, error) => errors.push(error))
  files.keep({ version, text: lines.join('\n') })
  await files.settled()
}

function text(name: string): string {
  return readFileSync(join(scratch.path, name), 'latin1')
}

describe('when a configuration is in force', () => {
  it('it is in a file of its version, at which zoo.cfg points; all else in that is as it was', async () => {
    await keep(0x1a0n, TEXT)
    expect(text('zoo.cfg.dynamic.1a0')).toBe(TEXT.slice(0, 2).join('\n'))
    expect(text('zoo.cfg')).toBe(`# Ours, since 2019
tickTime=2000
dataDir=/data

# caf\u00e9
DigestAuthenticationProvider.superDigest=super:x
dynamicConfigFile=${file}.dynamic.1a0
`)
    expect(text('zoo.cfg.bak')).toBe(CFG)
  })

  it('the server reads it at its next start', async () => {
    await keep(0x1a0n, TEXT)
    const { servers, clientPort, notices } = readZooCfg(readFileSync(file, 'utf8'), file)
    expect(servers).toEqual({ 1: 'a:2888:3888:participant;0.0.0.0:2181', 2: 'b:2888:3888:observer;0.0.0.0:2181' })
    expect([clientPort, notices]).toEqual([undefined, []])
  })

  it('the next one takes its place, and the file that people wrote is still kept', async () => {
    await keep(0x1a0n, TEXT)
    await keep(0x1b0n, [...TEXT.slice(0, 1), 'version=1b0'])
    expect(text('zoo.cfg')).toMatch(/superDigest=super:x\ndynamicConfigFile=.*zoo.cfg.dynamic.1b0\n$/)
    expect(text('zoo.cfg.bak')).toBe(CFG)
    expect(readdirSync(scratch.path).sort()).toEqual([
      'zoo.cfg', 'zoo.cfg.bak', 'zoo.cfg.dynamic.1a0', 'zoo.cfg.dynamic.1b0',
    ])
  })

  it('nothing is written that is there already', async () => {
    await keep(0x1a0n, TEXT)
    const times = (): bigint[] => ['zoo.cfg', 'zoo.cfg.bak', 'zoo.cfg.dynamic.1a0'].map((name) => {
      return statSync(join(scratch.path, name), { bigint: true }).ino
    })
    const before = times()
    await keep(0x1a0n, TEXT)
    expect(times()).toEqual(before)
  })

  it('where clients reach this server stays, if its line does not say', async () => {
    await keep(0x1a0n, ['server.1=a:2888:3888:participant', ...TEXT.slice(1)])
    expect(text('zoo.cfg')).toContain('clientPort=2181\n')
    writeFileSync(file, `${CFG}clientPortAddress=127.0.0.1\n`, 'latin1')
    await keep(0x1b0n, TEXT)
    expect(text('zoo.cfg')).not.toContain('clientPort=')
    expect(text('zoo.cfg')).toContain('clientPortAddress=127.0.0.1\n')
    await keep(0x1c0n, ['server.1=a:2888:3888:participant;127.0.0.1:2181', ...TEXT.slice(1)])
    expect(text('zoo.cfg')).not.toContain('clientPortAddress')
  })

  it('what only some may read stays so, and a link stays a link', async () => {
    chmodSync(file, 0o640)
    const link = join(scratch.path, 'link.cfg')
    symlinkSync(file, link)
    await keep(0x1a0n, TEXT, { path: link })
    for (const name of ['zoo.cfg', 'zoo.cfg.bak', 'zoo.cfg.dynamic.1a0']) {
      expect(statSync(join(scratch.path, name)).mode & 0o777, name).toBe(0o640)
    }
    expect(readdirSync(scratch.path)).toContain('link.cfg')
    expect(readFileSync(link, 'latin1')).toBe(text('zoo.cfg'))
  })

  it('a server that it does not name keeps what it was started with', async () => {
    await keep(0x1a0n, TEXT, { myid: 3 })
    expect(readdirSync(scratch.path)).toEqual(['zoo.cfg'])
    expect(text('zoo.cfg')).toBe(CFG)
  })

  it('a folder that is not there is told, and harms nothing', async () => {
    await keep(0x1a0n, TEXT, { path: join(scratch.path, 'none', 'zoo.cfg') })
    expect(errors.splice(0)).toEqual([expect.objectContaining({ code: 'ENOENT' })])
  })
})
