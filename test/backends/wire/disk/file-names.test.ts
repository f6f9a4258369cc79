import { describe, expect, it } from 'vitest'
import { logFileName, parseDataFileName, snapshotFileName } from '../../../../src/backends/wire/disk/file-names.ts'

describe('the name of a file', () => {
  it('says kind, zxid and compression, and is read back', () => {
    expect(logFileName(0x1_0000_000an)).toBe('log.10000000a')
    expect(snapshotFileName(0n)).toBe('snapshot.0')
    expect(snapshotFileName(-1n)).toBe('snapshot.ffffffffffffffff')
    for (const compression of ['none', 'gz', 'snappy'] as const) {
      const parsed = { kind: 'snapshot', zxid: 0x22cen, compression, isTemporary: false }
      expect(parseDataFileName(snapshotFileName(0x22cen, compression))).toEqual(parsed)
    }
    expect(parseDataFileName('log.10000000a')).toMatchObject({ kind: 'log', zxid: 0x1_0000_000an })
    expect(parseDataFileName('snapshot.ffffffffffffffff')).toMatchObject({ zxid: -1n })
  })

  it('says whether a snapshot was not finished', () => {
    expect(parseDataFileName('snapshot.60.tmp')).toMatchObject({ zxid: 0x60n, isTemporary: true })
    expect(parseDataFileName('snapshot.60.gz.tmp')).toMatchObject({ compression: 'gz', isTemporary: true })
  })

  it.each([
    ...['snapshot.zz', 'log.tmp', 'log.1.gz', 'log.1.tmp', 'notes.txt', 'log.', 'log.-1', 'LOG.1'],
    'snapshot.11112222333344445',
  ])('is that of neither: %s', (name) => {
    expect(parseDataFileName(name)).toBeNull()
  })
})
