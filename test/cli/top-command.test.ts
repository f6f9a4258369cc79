/** `quorate top`: one picture for scripts, pictures one after the other, and what a picture shows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import { picturesLines } from '../../src/cli/top-frame.ts'
import type { TopPicture } from '../../src/cli/top-frame.ts'
import { runTop } from '../../src/cli/top-command.ts'
import { connect } from '../../src/core/connect.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'

const ensemble = embedded({ servers: 3, clientPorts: [0, 0, 0], fourLetterWords: ['mntr'] })
beforeAll(() => ensemble.start())
afterAll(() => ensemble.close())

const url = (): string => ensemble.clientPorts.map((port) => `127.0.0.1:${port}`).join(',')

/** Runs it without a terminal; `onOut` hears of each picture. */
async function told(
  args: readonly string[],
  onOut: (count: number, stop: AbortController) => void = () => undefined,
): Promise<{ readonly status: number; readonly pictures: readonly string[] }> {
  const stop = new AbortController()
  const pictures: string[] = []
  const output = {
    out: (text: string) => onOut(pictures.push(text), stop),
    err: (text: string) => void pictures.push(text),
  }
  const terminal = { output, screen: process.stdout, keys: process.stdin }
  return { status: await runTop(args, {}, terminal, stop.signal), pictures }
}

describe('quorate top', () => {
  it('shows servers, and locks with the longest queues first', async () => {
    const client = await connect(ensemble)
    const holders = await Promise.all(['a', 'b'].map((name) => {
      return new FairLock(client, `/locks/${name}`).acquire({ data: `of ${name}\u001b[2J` })
    }))
    const other = await connect(ensemble)
    new FairLock(other, '/locks/b').acquire({ data: 'next' }).catch(() => undefined)
    while ((await client.children('/locks/b')).names.length < 2);
    const { status, pictures } = await told(['--connect', url(), '--once'])
    const [text = ''] = pictures
    expect(status).toBe(0)
    expect(text).toMatch(/^quorate top {2}127\.0\.0\.1:.* {2}\d\d:\d\d:\d\dZ {2}serving {2}round trip \d/)
    expect(text).toMatch(/^voters 3 {2}answering 3 {2}can lose 1$/m)
    expect(text.match(/ (LEADING|FOLLOWING) /g)).toHaveLength(3)
    const locks = text.slice(text.indexOf('LOCK ')).trimEnd().split('\n').slice(1)
    expect(locks.map((line) => line.split(/ {2,}/).filter((_, index) => [0, 1, 2, 4, 6].includes(index)))).toEqual([
      ['/locks/b', 'fair', '1', '1', String.raw`of b\x1b[2J`],
      ['/locks/a', 'fair', '1', '0', String.raw`of a\x1b[2J`],
    ])
    const { pictures: [json = ''] } = await told(['--connect', url(), '--once', '--json'])
    const picture = JSON.parse(json) as TopPicture
    expect(picture).toMatchObject({ ensemble: { serving: true, voters: 3, canLose: 1 }, rings: [], why: null })
    expect(picture.locks?.map(({ path, waiting }) => [path, waiting])).toEqual([['/locks/b', 1], ['/locks/a', 0]])
    await other.close()
    for (const holder of holders) await holder.release()
    await client.close()
  })

  it('goes on until a signal, one picture after the other', async () => {
    const { status, pictures } = await told(['--connect', url(), '--every', '0.1', '--json'], (count, stop) => {
      if (count === 3) stop.abort()
    })
    expect(status).toBe(0)
    expect(pictures).toHaveLength(3)
  })

  it('shows findings, deadlocks and what cannot be read', () => {
    const session = { id: null, status: 'suspended', roundTripMs: null }
    const none = { leader: null, leaderSinceMs: null, epoch: null, zxid: null, voters: null, answering: null }
    const ensembleOf = { serving: false, session, ...none, canLose: null, sessions: null, watches: null, nodes: null }
    const findings = [{ level: 'bad', text: 'There is no quorum.' }] as const
    const picture = { name: 'x', asOfMs: 0, ensemble: { ...ensembleOf, servers: [], findings } }
    const lines = picturesLines({ ...picture, locks: null, rings: [['0x1', '0x2']], why: 'no server answers' })
    expect(lines).toEqual([
      'quorate top  x  00:00:00Z  NOT SERVING  round trip -',
      'this engine does not tell of its servers',
      '! There is no quorum.',
      '! possible deadlock: 0x1 waits for 0x2 waits for 0x1',
      '',
      'locks cannot be read: no server answers',
    ])
  })

  it('refuses what it does not understand', async () => {
    await expect(told(['now'])).rejects.toThrow('top takes options only, got now')
    await expect(told(['--every', '0'])).rejects.toThrow('--every must be seconds from 0.1 to 3600, got "0"')
    expect((await told(['--help'])).pictures[0]).toMatch(/^usage: quorate top /)
  })
})
