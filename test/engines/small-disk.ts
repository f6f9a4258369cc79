/**
 * A small file system in memory that gets full as a disk does: a tmpfs in a mount namespace of its own, so that no
 * right is needed to mount it. A process holds it; others reach the files through the root of that one.
 *
 * Use       const disk = await startSmallDisk(2_000_000)   // start a server on disk.path; write until it is full
 *           disk.makeRoom()
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reasonToSkip } from './process.ts'

const UNSHARE = ['--map-root-user', '--mount']
const FILLER = 'filler'

/** A file system under test. */
export interface SmallDisk {
  /** Its folder, for every process. */
  readonly path: string
  /** Takes this many bytes away, until {@link SmallDisk.makeRoom}. */
  takeRoom(bytes: number): void
  /** Gives back what was taken. */
  makeRoom(): void
  /** Makes it larger by so many bytes. */
  grow(bytes: number): Promise<void>
  /** Makes it so small that nothing more goes onto it, until {@link SmallDisk.grow} by the bytes that this returns. */
  shrink(): Promise<number>
  /** Ends it; processes that use it have ended. */
  stop(): Promise<void>
}

/** Why suites on small disks are skipped, or null if they run. */
export function reasonToSkipSmallDisks(): string | null {
  const args = [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]
  return reasonToSkip('a mount namespace (unshare)', spawnSync('unshare', args).status === 0)
}

/** Makes an empty one. */
export async function startSmallDisk(bytes: number): Promise<SmallDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-small-'))
  const remount = `mount -o remount,size=$size '${folder}' 2>/dev/null && echo done || echo refused`
  const resize = `while read size; do ${remount}; done`
  const script = `mount -t tmpfs -o size=${bytes} tmpfs '${folder}' && echo mounted && ${resize}`
  const holder = spawn('unshare', [...UNSHARE, 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'exit')
  const first = await Promise.race([once(holder.stdout, 'data'), ended])
  if (!String(first[0]).startsWith('mounted')) throw new Error('the small disk could not be mounted')
  let size = bytes
  const path = `/proc/${holder.pid}/root${folder}`
  const setSize = async (to: number): Promise<boolean> => {
    const answered = once(holder.stdout, 'data')
    holder.stdin.write(`${to}\n`)
    const isDone = String((await answered)[0]).startsWith('done')
    if (isDone) size = to
    return isDone
  }
  return {
    path,
    takeRoom: (taken) => {
      writeFileSync(join(path, FILLER), new Uint8Array(taken))
    },
    makeRoom: () => {
      rmSync(join(path, FILLER))
    },
    grow: async (more) => {
      await setSize(size + more)
    },
    shrink: async () => {
      const before = size
      for (;;) {
        const { bsize, blocks, bfree } = statfsSync(path)
        // Too small if something was written meanwhile: that is refused, and tried again.
        if (await setSize((blocks - bfree) * bsize)) return before - size
      }
    },
    stop: async () => {
      holder.stdin.end()
      await ended
      rmSync(folder, { recursive: true })
    },
  }
}
