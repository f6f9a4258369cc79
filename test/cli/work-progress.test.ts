/** WorkProgress of long work: drawn on a terminal, after a while, and gone at the end. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { countingWrites } from '../../src/cli/disk/counting-files.ts'
import { WorkProgress } from '../../src/cli/work-progress.ts'
import type { ProgressOptions } from '../../src/cli/work-progress.ts'
import { nodeFileSystem } from '../../src/backends/embedded/host/storage/node-file-system.ts'
import { scratchFolder } from '../support/compiled.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** The texts drawn for work in steps of 100 ms, a thousand per step. */
function drawn(steps: number, options: Partial<ProgressOptions>, isTTY = true): string[] {
  const texts: string[] = []
  const progress = new WorkProgress({ what: 'nodes', screen: { isTTY, write: (text) => texts.push(text) }, ...options })
  for (let step = 0; step < steps; step += 1) {
    vi.advanceTimersByTime(100)
    progress.add(1_000)
  }
  progress.end()
  progress.end()
  return texts
}

describe('progress', () => {
  it('is one line, drawn again and again, which is gone at the end', () => {
    const erase = '\r\u001b[K'
    expect(drawn(6, { total: 9_000 })).toEqual([`${erase}5,000 of 9,000 nodes`, `${erase}6,000 of 9,000 nodes`, erase])
    expect(drawn(5, {})).toEqual([`${erase}5,000 nodes`, erase])
  })

  it('is quiet for short work, without a terminal, and among results', () => {
    expect(drawn(4, {})).toEqual([])
    expect(drawn(9, {}, false)).toEqual([])
    expect(drawn(9, { isBesideResults: true })).toEqual([])
  })

  it('counts the bytes of a copy', async () => {
    let bytes = 0
    const files = countingWrites(nodeFileSystem, (count) => (bytes += count))
    const file = await files.open(`${scratchFolder()}/file`, 'create')
    await file.write(new Uint8Array(10), 0)
    await file.write(new Uint8Array(5), 10)
    await file.sync()
    expect([bytes, await file.size()]).toEqual([15, 15])
    await file.close()
  })
})
