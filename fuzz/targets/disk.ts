/**
 * A server's data directory: logs, snapshots (plain, gzip, Snappy), a state that is being installed, the files with
 * promises.
 *
 * Input     files: a number for the name, a length, the content. Where the number has its highest bit set, checksums
 *           are put right, so that what they cover is read.
 * Promises  a start reads the files, or refuses with an error that says which file is damaged; nothing else is thrown.
 *           After a start, what is acknowledged is there at the next one, and all that was there before.
 */
import { isDeepStrictEqual } from 'node:util'
import { isCoordinationError } from '../../src/core/errors.ts'
import { FileStorage, VERSION_DIRECTORY } from '../../src/backends/embedded/host/storage/files.ts'
import { isDamage, recover } from '../../src/backends/embedded/host/storage/recovery.ts'
import { StorageError } from '../../src/backends/embedded/host/storage/storage-error.ts'
import { counterOf, epochOf } from '../../src/backends/embedded/server/zab/zxid.ts'
import { OpCode } from '../../src/backends/wire/codes.ts'
import { encodeTransaction } from '../../src/backends/wire/transactions.ts'
import { LossyFileSystem } from '../../src/testing/simulation/lossy-file-system.ts'
import { SeededRandom } from '../../src/testing/simulation/random.ts'
import { BYTE_MUTATORS } from '../mutators.ts'
import { PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import {
  LIFE_LENGTH,
  gzipped,
  logOf,
  mended,
  snapshotOf,
  snappied,
  votesFile,
  zxidAfter,
} from './server-files.ts'

const DATA = '/data'
const DIRECTORY = `${DATA}/${VERSION_DIRECTORY}`
const MEND = 0x80
const HALF = 5
/** A zxid beyond this cannot be followed by another of its epoch. */
const COUNTER_MAX = 0xffff_fffe
const EPOCH_MAX = 0x7fff_ffff

const hex = (zxid: bigint): string => zxid.toString(16)

/** Findings name files by their place here. */
const NAMES = [
  'snapshot.0', `snapshot.${hex(zxidAfter(HALF))}`, `log.${hex(zxidAfter(1))}`, `log.${hex(zxidAfter(HALF + 1))}`,
  'acceptedEpoch', 'currentEpoch', 'votes', `install.${hex(zxidAfter(HALF))}`,
  `snapshot.${hex(zxidAfter(HALF))}.gz`, `snapshot.${hex(zxidAfter(HALF))}.snappy`, 'snapshot.ffffffffffffffff',
  `log.${hex(zxidAfter(LIFE_LENGTH + 5))}`, 'log.1', 'snapshot.1.tmp', 'install.1.tmp', 'log.x',
]

interface OneFile {
  readonly name: string
  readonly content: Uint8Array
}

function directoryOf(input: Uint8Array): OneFile[] {
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const files = new Map<string, Uint8Array>()
  for (let at = 0; at + 5 <= input.length;) {
    const number = input[at] ?? 0
    const length = Math.min(Math.max(0, view.getInt32(at + 1)), input.length - at - 5)
    const content = input.slice(at + 5, at + 5 + length)
    const name = NAMES[(number & ~MEND) % NAMES.length] ?? ''
    files.set(name, (number & MEND) === 0 ? content : mended(name, content))
    at += 5 + length
  }
  return [...files].map(([name, content]) => ({ name, content }))
}

function inputOf(files: readonly (readonly [number: number, content: Uint8Array])[], mends = MEND): Uint8Array {
  return Buffer.concat(files.flatMap(([number, content]) => {
    const head = Buffer.alloc(5)
    head[0] = number | mends
    head.writeInt32BE(content.length, 1)
    return [head, content]
  }))
}

const text = (content: string): Uint8Array => Buffer.from(content)
const PROMISES = [[4, text('1')], [5, text('1')], [6, votesFile()]] as const

async function filesWith(files: readonly OneFile[]): Promise<LossyFileSystem> {
  const system = new LossyFileSystem(new SeededRandom(1))
  await system.makeDirectory(DIRECTORY)
  for (const { name, content } of files) {
    const file = await system.open(`${DIRECTORY}/${name}`, 'create')
    if (content.length > 0) await file.write(content, 0)
    await file.sync()
    await file.close()
  }
  return system
}

function storageOn(files: LossyFileSystem): FileStorage {
  const ignore = (): void => undefined
  const events = { onTornTail: ignore, onFull: ignore, onRoom: ignore }
  const limits = { snapRetainCount: 2, preallocateBytes: 4_096 }
  return new FileStorage(files, { dataDir: DATA, dataLogDir: DATA, ...limits, ...events })
}

type Read = Awaited<ReturnType<typeof recover>>

/** Null if it is refused in the way in which it may be. */
async function started(storage: FileStorage): Promise<Read | null> {
  try {
    return await recover(storage, { server: { myid: 1, voters: [1] } })
  } catch (error) {
    if (isDamage(error) || error instanceof StorageError) return null
    // A number that no server has, in a record that is whole.
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return null
    throw error
  }
}

const lastOf = ({ entries, base }: Read): bigint => entries.at(-1)?.zxid ?? base

async function goesOn(files: LossyFileSystem, storage: FileStorage, found: Read): Promise<void> {
  const last = lastOf(found)
  if (last < 0n || counterOf(last) > COUNTER_MAX || epochOf(last) >= EPOCH_MAX) return
  const zxid = last + 1n
  const header = { clientId: 1n, cxid: 1, zxid, time: 1, type: OpCode.error }
  const txn = encodeTransaction({ header, txn: { type: OpCode.error, body: { err: -1 } } })
  await storage.persist([{ type: 'append', entries: [{ zxid, txn, digest: null }] }])
  await storage.close()
  files.crash()
  const again = storageOn(files)
  const next = await started(again)
  await again.close()
  promise(next !== null, 'what a start has read and gone on with is damaged at the next start')
  if (next === null) return
  const is = lastOf(next)
  promise(is === zxid, `${hex(zxid)} was acknowledged, and the last at the next start is ${hex(is)}`)
  const { acceptedEpoch, currentEpoch, votes } = found
  const promises = { acceptedEpoch: next.acceptedEpoch, currentEpoch: next.currentEpoch, votes: next.votes }
  promise(isDeepStrictEqual(promises, { acceptedEpoch, currentEpoch, votes }), 'a promise is another one')
}

/** The target. */
export const disk: Target = {
  name: 'disk',
  reads: 'logs, snapshots and epochs of a data directory',
  limits: { ...PURE_LIMITS, inputBytesMax: 8_192, cpuMsMax: 1_000, memoryBytesMax: 96 * 1024 * 1024 },
  mutators: BYTE_MUTATORS,
  isPure: true,
  seeds: () => {
    const half = snapshotOf(HALF)
    const early = logOf(0, HALF)
    const late = logOf(HALF, LIFE_LENGTH)
    return [
      inputOf([[0, snapshotOf(0)], [2, early], [3, late], ...PROMISES]),
      inputOf([[1, half], [3, late], ...PROMISES]),
      inputOf([[0, snapshotOf(0)], [1, half], [2, early], [3, late], [6, text('yes')]]),
      inputOf([[7, half], [2, early], ...PROMISES]),
      inputOf([[8, gzipped(half)], [3, late]], 0),
      inputOf([[9, snappied(half)], [3, late]], 0),
      inputOf([[0, snapshotOf(0)], [12, logOf(0, LIFE_LENGTH)]]),
      inputOf([[10, snapshotOf(0)]]),
    ]
  },
  async run(input) {
    const files = await filesWith(directoryOf(input))
    const storage = storageOn(files)
    const found = await started(storage)
    if (found === null) await storage.close()
    else await goesOn(files, storage, found)
  },
}
