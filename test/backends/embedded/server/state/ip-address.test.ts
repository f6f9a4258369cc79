import { describe, expect, it } from 'vitest'
import {
  canonicalAddress,
  isAddressRange,
  isInRange,
  networkOf,
} from '../../../../../src/backends/embedded/server/state/ip-address.ts'

describe('an address', () => {
  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:DB8::a:0:1', '2001:db8:0:0:0:a:0:1'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['somewhere', 'somewhere'],
  ])('%s is shown as %s', (text, shown) => {
    expect(canonicalAddress(text)).toBe(shown)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:a01:203', '10.1.2.3'],
    ['2001:DB8::a:0:1', '2001:db8:0:0::'],
    ['2001:db8:0:1::1', '2001:db8:0:1::'],
    ['fe80::1%eth0', 'fe80:0:0:0::'],
    ['::1', '0:0:0:0::'],
    ['somewhere', 'somewhere'],
  ])('%s counts as one of %s', (text, network) => {
    expect(networkOf(text)).toBe(network)
  })
})

describe('a range of addresses', () => {
  it.each(['10.0.0.1', '10.0.0.0/8', '10.0.0.0/0', '10.0.0.0/32', '::1', '2001:db8::/32', '1:2:3:4:5:6:7:8/128'])(
    'may be %s',
    (range) => {
      expect(isAddressRange(range)).toBe(true)
    },
  )

  it.each([
    '', '10.0.0', '10.0.0.0.0', '10.0.0.256', '10.0.0.-1', '10.0.0.x', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/',
    '10.0.0.0/8/8', ':::', '1::2::3', '12345::', '1:2:3', '1:2:3:4:5:6:7:8:9', '::/129', 'g::', '1:2:3:4:5:6:7::8:9',
  ])('may not be %j', (range) => {
    expect(isAddressRange(range)).toBe(false)
    expect(isInRange('10.0.0.1', range)).toBe(false)
  })

  it.each([
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.4', '10.1.2.3', false],
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.131', '10.1.2.128/25', true],
    ['10.1.2.127', '10.1.2.128/25', false],
    ['10.1.2.3', '99.99.99.99/0', true],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::/32', true],
    ['2001:db9:0:0:0:0:0:1', '2001:db8::/32', false],
    ['2001:db8:8000:0:0:0:0:1', '2001:db8::/33', false],
    ['10.1.2.3', '::/0', false],
    ['nowhere', '10.0.0.0/8', false],
  ])('has %s in %s: %s', (address, range, isIn) => {
    expect(isInRange(address, range)).toBe(isIn)
  })
})
