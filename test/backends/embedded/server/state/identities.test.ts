import { describe, expect, it } from 'vitest'
import { sha1 } from '../../../../../src/backends/embedded/host/digest.ts'
import {
  CLAIM_BYTES_MAX,
  IDENTITIES_MAX,
  NO_IDENTITIES,
  authenticate,
  clientInfoOf,
  identitiesAt,
} from '../../../../../src/backends/embedded/server/state/identities.ts'
import type { Identity } from '../../../../../src/backends/embedded/server/state/identities.ts'

/** The superuser's login, and its digest by ZooKeeper's DigestAuthenticationProvider. */
const SUPER = { password: 'super:test', digest: 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=' }

function addauth(
  scheme: string,
  auth: string | null,
  { identities = NO_IDENTITIES, address = '', superDigest = null as string | null } = {},
): readonly Identity[] | null {
  const bytes = auth === null ? null : new Uint8Array(Buffer.from(auth))
  return authenticate({ type: 0, scheme, auth: bytes }, { identities, address }, { superDigest, digest: sha1 })
}

describe('the identities of a client', () => {
  it('are its address, if it has one', () => {
    expect(identitiesAt('')).toEqual([])
    expect(identitiesAt('::ffff:127.0.0.1')).toEqual([{ scheme: 'ip', id: '127.0.0.1' }])
  })

  it('are told without the hash of a password', () => {
    const identities = [...identitiesAt('10.0.0.1'), ...(addauth('digest', SUPER.password) ?? [])]
    expect(clientInfoOf(identities)).toEqual([
      { authScheme: 'ip', user: '10.0.0.1' },
      { authScheme: 'digest', user: 'super' },
    ])
  })
})

describe('addauth', () => {
  it('adds user and hash by digest, each once', () => {
    const one = addauth('digest', SUPER.password, { identities: identitiesAt('10.0.0.1') }) ?? []
    expect(one).toEqual([{ scheme: 'ip', id: '10.0.0.1' }, { scheme: 'digest', id: SUPER.digest }])
    expect(addauth('digest', SUPER.password, { identities: one })).toEqual(one)
    expect(addauth('digest', 'other:test', { identities: one })).toHaveLength(3)
  })

  it('takes what stands before the first colon for the user, or all of it', () => {
    expect(addauth('digest', 'a:b:c')?.[0]?.id).toMatch(/^a:[^:]+=$/)
    expect(addauth('digest', 'nobody')?.[0]?.id).toMatch(/^nobody:[^:]+=$/)
    expect(addauth('digest', '')?.[0]?.id).toMatch(/^:[^:]+=$/)
  })

  it('makes a superuser of who has the digest of the configuration', () => {
    const superuser = addauth('digest', SUPER.password, { superDigest: SUPER.digest })
    expect(superuser).toEqual([{ scheme: 'super', id: '' }, { scheme: 'digest', id: SUPER.digest }])
    expect(addauth('digest', 'super:wrong', { superDigest: SUPER.digest })).toHaveLength(1)
  })

  it('gives the address again by ip, to whom has one', () => {
    expect(addauth('ip', null, { address: '10.0.0.1' })).toEqual([{ scheme: 'ip', id: '10.0.0.1' }])
    expect(addauth('ip', null)).toBeNull()
  })

  it.each(['world', 'auth', 'super', 'sasl', 'x509', ''])('fails by %j', (scheme) => {
    expect(addauth(scheme, 'anyone')).toBeNull()
  })

  it('fails beyond the identities that a connection may have, and for what is no password', () => {
    let identities: readonly Identity[] = identitiesAt('10.0.0.1')
    for (let i = 1; i < IDENTITIES_MAX; i++) identities = addauth('digest', `user-${i}:x`, { identities }) ?? []
    expect(identities).toHaveLength(IDENTITIES_MAX)
    expect(addauth('digest', 'one-more:x', { identities })).toBeNull()
    expect(addauth('digest', 'user-1:x', { identities })).toBe(identities)
    expect(addauth('digest', `user:${'x'.repeat(CLAIM_BYTES_MAX - 5)}`)).toHaveLength(1)
    expect(addauth('digest', `user:${'x'.repeat(CLAIM_BYTES_MAX - 4)}`)).toBeNull()
  })

  it('fails by digest without a word', () => {
    expect(addauth('digest', null)).toBeNull()
  })
})
