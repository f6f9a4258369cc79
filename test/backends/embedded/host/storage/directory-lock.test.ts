import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lockDirectory } from '../../../../../src/backends/embedded/host/storage/directory-lock.ts'

/** Of /proc/PID/stat, after the name of the program. */
const fieldsOf = (pid: number): string[] => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-lock-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe.runIf(process.platform === 'linux')('the lock of a directory', () => {
  it('keeps others out while its process is alive, and not once it has ended and nobody has asked how', async () => {
    // A shell that becomes another program never asks how its child has ended.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [line] = await once(parent.stdout, 'data') as [Buffer]
    const pid = Number(line.toString())
    try {
      writeFileSync(join(directory, 'quorate.lock'), `${pid} ${fieldsOf(pid)[19]}\n`)
      await expect(lockDirectory(directory)).rejects.toThrow(`is used by process ${pid}`)
      process.kill(pid, 'SIGKILL')
      await vi.waitFor(() => {
        expect(fieldsOf(pid)[0]).toBe('Z')
      })
      const unlock = await lockDirectory(directory)
      await unlock()
    } finally {
      parent.kill('SIGKILL')
    }
  })
})
