/** Epoch files against the checksum in `votes`: the marks of a crash, of a ZooKeeper, and of damage. */
import { beforeEach, describe, expect, it } from 'vitest'
import { replaceFile } from '../../../../../src/backends/embedded/host/storage/file-system.ts'
import { PromiseFiles } from '../../../../../src/backends/embedded/host/storage/promise-files.ts'
import { StorageError } from '../../../../../src/backends/embedded/host/storage/storage-error.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { LossyFileSystem } from '../../../../../src/testing/simulation/lossy-file-system.ts'

const DIRECTORY = '/data'
let files = new LossyFileSystem(new SeededRandom(1))

const set = (name: string, content: string): Promise<void> => replaceFile(files, DIRECTORY, name, content)
const read = (): ReturnType<PromiseFiles['read']> => new PromiseFiles(files, DIRECTORY).read()
const found = (acceptedEpoch: number, currentEpoch: number) => ({ acceptedEpoch, currentEpoch, votes: true })

async function settled(): Promise<void> {
  const promises = new PromiseFiles(files, DIRECTORY)
  await promises.read()
  await promises.settle()
}

async function contentOf(name: string): Promise<string> {
  const file = await files.open(`${DIRECTORY}/${name}`, 'read')
  return Buffer.from(await file.read(0, await file.size())).toString()
}

beforeEach(async () => {
  files = new LossyFileSystem(new SeededRandom(1))
  await files.makeDirectory(DIRECTORY)
  const promises = new PromiseFiles(files, DIRECTORY)
  await promises.read()
  await promises.write(found(12, 11))
})

describe('the promises of a server', () => {
  it('are written with a checksum before the files of ZooKeeper', async () => {
    const order: string[] = []
    const renames = files.rename.bind(files)
    files.rename = async (from, to) => {
      order.push(to)
      await renames(from, to)
    }
    const promises = new PromiseFiles(files, DIRECTORY)
    await promises.read()
    await promises.write(found(13, 12))
    expect(order).toEqual(['/data/votes', '/data/acceptedEpoch', '/data/currentEpoch'])
    expect(await read()).toEqual(found(13, 12))
  })

  it.each([['acceptedEpoch', '11'], ['acceptedEpoch', '1'], ['currentEpoch', '10'], ['currentEpoch', '0']])(
    'are those with the checksum where %s is %s, as after a crash, and the file is mended',
    async (name, lower) => {
      await set(name, lower)
      expect(await read()).toEqual(found(12, 11))
      await settled()
      expect([await contentOf('acceptedEpoch'), await contentOf('currentEpoch')]).toEqual(['12', '11'])
    },
  )

  it.each([['acceptedEpoch', '13'], ['acceptedEpoch', '92'], ['currentEpoch', '12'], ['currentEpoch', '91']])(
    'are damaged where %s alone is later: %s',
    async (name, later) => {
      await set(name, later)
      await expect(read()).rejects.toThrow(StorageError)
      await expect(read()).rejects.toThrow(`/data/${name} holds ${later}, and votes, which has a checksum, says 1`)
    },
  )

  it('are damaged where both are later and the current epoch was never accepted', async () => {
    await set('acceptedEpoch', '13')
    await set('currentEpoch', '14')
    await expect(read()).rejects.toThrow(StorageError)
  })

  it('are those of a ZooKeeper where both are later, and have a checksum from then on', async () => {
    await set('acceptedEpoch', '14\n')
    await set('currentEpoch', '14\n')
    expect(await read()).toEqual(found(14, 14))
    await settled()
    await set('currentEpoch', '15')
    await expect(read()).rejects.toThrow(StorageError)
  })

  it('get a checksum at the first start after a release that wrote none', async () => {
    await set('votes', 'yes')
    await set('currentEpoch', '12')
    expect(await read()).toEqual(found(12, 12))
    await settled()
    expect(await contentOf('votes')).toMatch(/^yes 12 12 [0-9a-f]{8}$/)
  })

  it('are not made up where a ZooKeeper wrote the directory, nor where nothing was promised', async () => {
    await files.remove(`${DIRECTORY}/votes`)
    await settled()
    expect((await files.list(DIRECTORY)).includes('votes')).toBe(false)
    files = new LossyFileSystem(new SeededRandom(1))
    await files.makeDirectory(DIRECTORY)
    const promises = new PromiseFiles(files, DIRECTORY)
    await promises.read()
    await promises.setVotes(true)
    await settled()
    expect(await files.list(DIRECTORY)).toEqual(['votes'])
    expect(await read()).toEqual({ acceptedEpoch: null, currentEpoch: null, votes: true })
  })
})
