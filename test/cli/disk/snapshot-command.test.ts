import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeSnapshotFile } from '../../../src/backends/wire/disk/snapshot-file.ts'
import { SNAPSHOTS, golden } from '../../backends/wire/disk/golden.ts'
import { contentOf, readItems, unpacked } from '../../backends/wire/disk/golden-snapshots.ts'
import { Folder, run, values } from './tool-rig.ts'

let folder: Folder

beforeEach(() => {
  folder = new Folder()
})

afterEach(() => {
  folder.remove()
})

describe('quorate snapshot', () => {
  it.each(SNAPSHOTS.map((file) => [`${file.directory}/${file.name}`, file] as const))(
    'lists every session and node of %s, and finds its digest right',
    async (_, file) => {
      const items = readItems(unpacked(file.bytes, file.compression))
      const { status, out } = await run('snapshot', folder.write(file.name, file.bytes), '--json')
      const lines = values(out)
      const ids = items.flatMap((item) => (item.kind === 'session' ? [`0x${item.session.id.toString(16)}`] : []))
      const paths = items.flatMap((item) => (item.kind === 'node' ? [item.node.path] : []))
      expect(lines.flatMap(({ session }) => session ?? [])).toEqual(ids)
      expect(lines.flatMap(({ path }) => path ?? [])).toEqual(paths)
      const counts = { sessions: ids.length, nodes: paths.length }
      const zxid = `0x${file.zxid.toString(16)}`
      expect([status, lines.at(-1)]).toMatchObject([0, { state: 'sound', zxid, ...counts }])
      // Of a state that a leader sent, and of an empty one, a ZooKeeper knows no digest: its zxid is 0 then.
      const claimed = items.find((item) => item.kind === 'digest')?.digest.zxid ?? 0n
      const expected = file.name === 'snapshot.22ce' ? 'fuzzy' : claimed === 0n ? 'none' : 'equal'
      expect(lines.at(-1)?.['digest']).toBe(expected)
    },
  )

  it('prints a line each for people, and no data unless they are asked for', async () => {
    const { name, bytes } = golden('standalone', 'snapshot.3e')
    const file = folder.write(name, bytes)
    const { out, err } = await run('snapshot', file)
    expect(out).toMatch(/^session {2}0x[0-9a-f]+ {2}time-out \d+ ms$/m)
    expect(out).toMatch(/^node {2}\/ {2}mzxid 0x0 {2}version 0 {2}0 bytes$/m)
    expect(err).toMatch(/snapshot\.3e: zxid 0x3e, \d+ sessions, \d+ nodes: sound; the digest is right\n$/)
    expect((await run('snapshot', file, '--data')).out).toContain('bytes  "')
    expect(out).not.toContain('"')
  })

  it('ends with 4 for a digest that is not that of the nodes', async () => {
    const content = contentOf(readItems(golden('standalone', 'snapshot.3e').bytes))
    const ending = () => ({ ...content.ending(), digest: { zxid: 0x3en, value: 12n } })
    const bytes = Buffer.concat([...writeSnapshotFile({ ...content, ending })])
    const file = folder.write('snapshot.3e', new Uint8Array(bytes))
    const { status, err } = await run('snapshot', file)
    expect(status).toBe(4)
    expect(err).toMatch(/: the digest of its nodes is -?\d+, and it says 12\n$/)
  })

  it('ends with 4 for any byte that was changed, and for a file that was cut', async () => {
    const { name, bytes } = golden('rolling', 'snapshot.0')
    for (let at = 0; at < bytes.length; at += 11) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ 0x5a
      const { status, err } = await run('snapshot', folder.write(name, changed))
      expect([at, status]).toEqual([at, 4])
      expect(err).toContain('nothing above can be trusted')
    }
    const half = folder.write(name, bytes.slice(0, bytes.length / 2))
    expect(values((await run('snapshot', half, '--json')).out).at(-1)).toMatchObject({ state: 'damaged', kind: 'cut' })
  })

  it('refuses a directory, and a log', async () => {
    const file = folder.write('version-2/snapshot.0.gz', golden('snap-gz', 'snapshot.0.gz').bytes)
    const hint = `${folder.path} is a directory: name one file, such as ${file}\n`
    expect(await run('snapshot', folder.path)).toEqual({ status: 1, out: '', err: hint })
    const log = folder.write('log.1', golden('rolling', 'log.1').bytes)
    expect((await run('snapshot', log)).err).toBe(`${log} has the name of a log: quorate log reads it\n`)
  })
})
