import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isCoordinationError } from '../../../src/core/errors.ts'
import {
  INITIATION_BYTES_MAX,
  addressText,
  encodeInitiation,
  readInitiation,
} from '../../../src/backends/wire/initiation.ts'

/** As real servers of 3.8.0 sent them. */
const RECORDED = [
  ['one address', 'ffffffffffff00000000000000000003000000103132372e302e302e31333a3433323031', 3n, '127.0.0.13'],
  ['several', 'ffffffffffff00010000000000000002000000103132372e302e302e31323a3433323031', 2n, '127.0.0.12'],
] as const

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function withText(protocol: bigint, text: string, length = Buffer.byteLength(text)): Uint8Array {
  const head = Buffer.alloc(20)
  head.writeBigInt64BE(protocol)
  head.writeBigInt64BE(7n, 8)
  head.writeInt32BE(length, 16)
  return Buffer.concat([head, Buffer.from(text)])
}

function errorOf(bytes: Uint8Array): string | null {
  try {
    readInitiation(bytes)
    return null
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return error.message
    throw error
  }
}

describe('an initiation', () => {
  it.each(RECORDED)('of a real server with %s is read, and not before its last byte', (_name, hex, sid, host) => {
    const bytes = bytesOf(hex)
    for (let length = 0; length < bytes.length; length++) expect(readInitiation(bytes.subarray(0, length))).toBeNull()
    const expected = { sid, addresses: [{ host, port: 43_201 }], bytes: 36 }
    expect(readInitiation(bytes)).toEqual(expected)
    expect(readInitiation(Buffer.concat([bytes, Buffer.from('more')]))).toEqual(expected)
  })

  it('of ours is that of a real server', () => {
    const [, hex] = RECORDED[0]
    expect(Buffer.from(encodeInitiation(3, { host: '127.0.0.13', port: 43_201 })).toString('hex')).toBe(hex)
  })

  it('names several addresses, of either family', () => {
    const text = '10.0.0.1:3888|[fe80::1%eth0]:3889|zk1.example:3890'
    expect(readInitiation(withText(-65_535n, text))?.addresses.map(addressText)).toEqual(text.split('|'))
    expect(errorOf(withText(-65_536n, text))).toContain('the address')
  })

  it('is an id alone before 3.5', () => {
    expect(readInitiation(bytesOf('000000000000000200000028'))).toEqual({ sid: 2n, addresses: [], bytes: 8 })
  })

  it.each([
    ['another protocol', bytesOf('fffffffffffeffff')],
    ['no address', withText(-65_536n, '')],
    ['a longer address than there is', withText(-65_536n, '', 2_049)],
    ['a negative length', withText(-65_536n, '', -1)],
    ['no port', withText(-65_536n, '10.0.0.1')],
    ['a port that there is not', withText(-65_536n, '10.0.0.1:65536')],
    ['port 0', withText(-65_536n, '10.0.0.1:0')],
    ['an IPv6 address without brackets', withText(-65_536n, '::1:3888')],
  ])('is refused with %s', (_name, bytes) => {
    expect(errorOf(bytes)).not.toBeNull()
  })

  it('never raises anything else, and is always decided within its length', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(-65_536n, -65_535n), (rest, protocol) => {
      const head = Buffer.alloc(8)
      head.writeBigInt64BE(protocol)
      errorOf(rest)
      errorOf(Buffer.concat([head, rest]))
      const long = Buffer.concat([head, rest, new Uint8Array(INITIATION_BYTES_MAX)])
      expect(errorOf(long) !== null || readInitiation(long) !== null).toBe(true)
    }))
  })
})
