import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { connect } from '../../../src/core/connect.ts'
import { Folder, run, values } from './tool-rig.ts'

const EARN_MS_MAX = 60_000

let folder: Folder
let data: string
let backup: string
let restored: string

beforeEach(() => {
  folder = new Folder()
  ;[data, backup, restored] = [folder.at('data'), folder.at('backup'), folder.at('restored')]
})

afterEach(() => {
  folder.remove()
})

/** Writes values on a server with these data, and gives the zxid of the last one. */
async function write(dataDir: string, texts: readonly string[], more: object = {}): Promise<bigint> {
  await using server = embedded({ servers: 1, dataDir, ...more })
  await using client = await connect(server)
  for (const text of texts) {
    if (await client.exists('/value') === null) await client.create('/value', text)
    else await client.set('/value', text)
  }
  return (await client.get('/value')).stat.mzxid
}

async function read(dataDir: string, servers = 1, more: object = {}): Promise<string> {
  await using server = embedded({ servers, dataDir, ...more })
  await using client = await connect(server)
  return new TextDecoder().decode((await client.get('/value')).data)
}

const version = (directory: string): string[] => readdirSync(join(directory, 'version-2')).sort()
const logIn = (directory: string): string => {
  return join(directory, 'version-2', version(directory).findLast((name) => name.startsWith('log.')) ?? '')
}

describe('quorate backup and restore', () => {
  it('bring a server back to what it was, with later zxids than any since', async () => {
    await write(data, ['one', 'two'])
    const { status, out } = await run('backup', data, '--to', backup)
    expect([status, out]).toEqual([0, expect.stringMatching(/: copied to .*backup, up to zxid 0x[0-9a-f]+\n$/)])
    let later = 0n
    // Each life has an epoch more, and after the restore there are fewer.
    for (let life = 0; life < 5; life++) later = await write(data, ['three', 'four'])
    expect(await run('restore', backup, '--to', restored)).toMatchObject({ status: 0, err: '' })
    expect(await read(restored)).toBe('two')
    expect(await write(restored, ['five'])).toBeGreaterThan(later)
    expect(readdirSync(restored)).toEqual(['version-2'])
    expect(await read(backup)).toBe('two')
  })

  it('take what a start would use: after a damaged snapshot the one before, and no torn record', async () => {
    await write(data, ['one', 'two', 'three'], { snapCount: 4 })
    const snapshots = version(data).filter((name) => name.startsWith('snapshot.'))
    writeFileSync(join(data, 'version-2/snapshot.7fffffff00000000'), 'none')
    truncateSync(logIn(data), readFileSync(logIn(data)).length - 5)
    const { status, out } = await run('backup', data, '--to', backup, '--json')
    expect(status).toBe(0)
    const [result] = values(out)
    expect(result?.['passedOver']).toHaveLength(2)
    expect(version(backup).filter((name) => name.startsWith('snapshot.'))).toHaveLength(1)
    expect(snapshots).toContain(version(backup).find((name) => name.startsWith('snapshot.')))
    expect((await run('log', logIn(backup))).status).toBe(0)
    expect((await run('log', logIn(data))).status).toBe(3)
  })

  it('refuse data that are damaged in the middle, and leave nothing that looks like a backup', async () => {
    await write(data, ['one', 'two'])
    const bytes = readFileSync(logIn(data))
    bytes[40] = (bytes[40] ?? 0) ^ 1
    writeFileSync(logIn(data), bytes)
    const { status, err } = await run('backup', data, '--to', backup)
    expect([status, err]).toEqual([1, expect.stringMatching(/log\.[0-9a-f]+: at byte 16: /)])
    expect(existsSync(join(backup, 'version-2'))).toBe(false)
    const again = await run('backup', data, '--to', backup)
    expect(again.err).toContain('backup is not empty (unfinished): an earlier attempt was interrupted: remove it')
  })

  it('copy a server that goes on writing, with all that it had acknowledged', async () => {
    await using server = embedded({ servers: 1, dataDir: data, snapCount: 40, snapRetainCount: 1 })
    await using client = await connect(server)
    await client.create('/value', '0')
    const lanes = ['a', 'b', 'c', 'd']
    for (const lane of lanes) await client.create(`/${lane}`, '')
    let last = 0
    let isWriting = true
    const writing = Promise.all(lanes.map(async (lane) => {
      const blob = lane.repeat(5_000)
      while (isWriting) {
        await client.set(`/${lane}`, blob)
        await client.set('/value', `${last + 1}`)
        last += 1
      }
    }))
    for (const round of [1, 2, 3]) {
      const acknowledged = await client.get('/value')
      const { status, err } = await run('backup', data, '--to', `${backup}-${round}`)
      expect([status, err]).toEqual([0, ''])
      await run('restore', `${backup}-${round}`, '--to', `${restored}-${round}`)
      await using copy = embedded({ servers: 1, dataDir: `${restored}-${round}` })
      await using reader = await connect(copy)
      expect((await reader.get('/value')).stat.mzxid).toBeGreaterThanOrEqual(acknowledged.stat.mzxid)
    }
    isWriting = false
    await writing
  })

  it('refuse to restore from what a server uses, and a target that is not empty', async () => {
    await using server = embedded({ servers: 1, dataDir: data })
    await server.start()
    const inUse = `${data} is used by this process: stop it first; files that change are no backup\n`
    expect(await run('restore', data, '--to', restored)).toEqual({ status: 1, out: '', err: inUse })
    await server.close()
    expect((await run('backup', data, '--to', backup, '--log-dir', data)).status).toBe(0)
    const err = `${backup} is not empty (version-2): name an empty one\n`
    expect(await run('restore', data, '--to', backup)).toEqual({ status: 1, out: '', err })
    mkdirSync(join(restored, 'lost+found'), { recursive: true })
    expect((await run('restore', backup, '--to', restored)).status).toBe(0)
  })

  it('find logs in a directory of their own, and do not miss them in silence', async () => {
    const logs = { dataLogDir: folder.at('logs') }
    await write(data, ['one', 'two'], logs)
    const { status, err } = await run('backup', data, '--to', backup)
    expect([status, err]).toEqual([1, expect.stringMatching(/holds no log: name the directory of the logs/)])
    const other = folder.at('other')
    expect((await run('backup', data, '--to', other, '--log-dir', logs.dataLogDir)).status).toBe(0)
    const newLogs = { dataLogDir: folder.at('new-logs') }
    expect((await run('restore', other, '--to', restored, '--log-dir', newLogs.dataLogDir)).status).toBe(0)
    expect(await read(restored, 1, newLogs)).toBe('two')
  })

  it('copy all servers of a process', async () => {
    await write(data, ['one', 'two'], { servers: 3 })
    expect((await run('backup', data, '--to', backup)).out.split('\n')).toHaveLength(4)
    expect((await run('restore', backup, '--to', restored)).status).toBe(0)
    expect(await read(restored, 3)).toBe('two')
  })

  it('take the vote of a server of an ensemble, unless all go back, and give another name', async () => {
    await write(data, ['one'])
    writeFileSync(join(data, 'myid'), '2\n')
    expect((await run('backup', data, '--to', backup)).status).toBe(0)
    const content = (directory: string, name: string): string => {
      return readFileSync(join(directory, 'version-2', name), 'utf8')
    }
    const epoch = (directory: string): number => Number(content(directory, 'acceptedEpoch'))
    const votes = (directory: string): string => content(directory, 'votes').replace(/ .*/, '')
    const one = await run('restore', backup, '--to', restored)
    expect(one).toMatchObject({ status: 0, err: expect.stringContaining('server 2 gets its vote back') as string })
    expect([votes(restored), epoch(restored), readFileSync(join(restored, 'myid'), 'utf8')]).toEqual(['no', 1, '2\n'])
    const whole = folder.at('whole')
    expect((await run('restore', backup, '--to', whole, '--whole-ensemble', '--myid', '3')).status).toBe(0)
    expect([votes(whole), readFileSync(join(whole, 'myid'), 'utf8')]).toEqual(['yes', '3\n'])
    expect(epoch(whole)).toBeGreaterThan(1)
  })

  it('let a server that goes back alone catch up, and earn its vote', { timeout: EARN_MS_MAX }, async () => {
    const several = { servers: 3 }
    await write(data, ['one'], several)
    const own = join(data, '2')
    writeFileSync(join(own, 'myid'), '2\n')
    expect((await run('backup', own, '--to', backup)).status).toBe(0)
    await write(data, ['two'], several)
    rmSync(own, { recursive: true })
    expect((await run('restore', backup, '--to', own)).status).toBe(0)
    const votes = (): string => readFileSync(join(own, 'version-2/votes'), 'utf8').replace(/ .*/, '')
    expect(votes()).toBe('no')
    await using ensemble = embedded({ ...several, dataDir: data })
    await using client = await connect(ensemble)
    expect(new TextDecoder().decode((await client.get('/value')).data)).toBe('two')
    await vi.waitFor(() => expect(votes()).toBe('yes'), { timeout: EARN_MS_MAX, interval: 20 })
  })

  it('refuse what is no data directory, and arguments that they do not understand', async () => {
    await write(data, ['one'])
    const inside = join(data, 'version-2')
    const wrong = await run('backup', inside, '--to', backup)
    expect(wrong.err).toContain('is no data directory: name the directory above')
    expect((await run('backup', folder.path, '--to', backup)).err).toContain('there is no version-2 in it')
    const usage = 'backup takes two directories: quorate backup DIR --to DIR\n'
    expect(await run('backup', data)).toEqual({ status: 2, out: '', err: usage })
    expect((await run('restore', data, '--to', backup, '--myid', '255')).status).toBe(2)
    cpSync(data, folder.at('copied'), { recursive: true })
    expect(await read(folder.at('copied'))).toBe('one')
  })
})
