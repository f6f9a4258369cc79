import { describe, expect, it } from 'vitest'
import { DamageError } from '../../src/backends/wire/disk/damage.ts'
import { diskReason } from '../../src/cli/disk-reason.ts'

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: words of the system, open '/data/log.1'`), { code, path: '/data/log.1' })
}

describe('the reason why a server cannot use its files', () => {
  it.each([
    ['EMFILE', /^\/data\/log\.1: .*ulimit -n/],
    ['EROFS', /^\/data\/log\.1: the file system is read-only/],
    ['EACCES', /^\/data\/log\.1: no permission: .* belong to the user/],
    ['ENOSPC', /^\/data\/log\.1: the disk is full: make room$/],
    ['EIO', /^\/data\/log\.1: the disk failed/],
  ])('names the path and what helps: %s', (code, line) => {
    expect(diskReason(systemError(code))).toMatch(line)
  })

  it('names what helps where a file is damaged, and not where it is of a newer release', () => {
    const damaged = diskReason(new DamageError('/data/log.1', 'checksum', 146, 'the checksum of a record is wrong'))
    expect(damaged).toMatch(/^\/data\/log\.1: at byte 146: the checksum of a record is wrong; `quorate log FILE` and /)
    expect(damaged).toMatch(/restore a backup \(`quorate restore`\)/)
    expect(diskReason(new DamageError('/log', 'version', 4, 'version 3'))).toBe('/log: at byte 4: version 3')
  })

  it('is the message of any other error', () => {
    expect(diskReason(systemError('ENOENT'))).toBe("ENOENT: words of the system, open '/data/log.1'")
    expect(diskReason('words')).toBe('words')
  })

  it('is the message of an error of the system without a path, with what helps', () => {
    expect(diskReason(Object.assign(new Error('write'), { code: 'ENOSPC' }))).toBe('write: the disk is full: make room')
  })
})
