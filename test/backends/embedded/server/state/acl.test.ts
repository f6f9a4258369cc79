import { describe, expect, it } from 'vitest'
import {
  ACL_ENTRIES_MAX,
  ACL_EXPANDED_CHARS_MAX,
  completedAcl,
  isPermitted,
  sharedAcl,
  visibleAcl,
} from '../../../../../src/backends/embedded/server/state/acl.ts'
import type { Identity } from '../../../../../src/backends/embedded/server/state/identities.ts'
import { isAddressRange } from '../../../../../src/backends/embedded/server/state/ip-address.ts'
import { Err, Perm } from '../../../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../../../src/backends/wire/records.ts'
import type { Acl, AclWish } from '../../../../../src/backends/wire/records.ts'

const ANN = { scheme: 'digest', id: 'ann:hash' }
const BOB = { scheme: 'digest', id: 'bob:hash' }
const HOME = { scheme: 'ip', id: '10.1.2.3' }

function acl<S extends AclWish['scheme'], I extends AclWish['id']>(perms: number, scheme: S, id: I) {
  return { perms, scheme, id }
}

function completed(list: readonly AclWish[], identities: readonly Identity[]): readonly Acl[] | number {
  return completedAcl(list, identities, { chars: ACL_EXPANDED_CHARS_MAX, hasSasl: false })
}

/** Far more than a linear step takes, and far less than a quadratic one: that took ten seconds. */
const CPU_MS_MAX = 1_000

/** Processor time of a step in milliseconds: the least of a few times, so that nobody else's work counts. */
function cpuMsOf(step: () => void): number {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage()
    step()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}

describe('who may do something', () => {
  it('is everyone by the open list, and by an empty one', () => {
    expect(isPermitted(OPEN_ACL, Perm.admin, [])).toBe(true)
    expect(isPermitted([], Perm.admin, [])).toBe(true)
  })

  it('is who matches an entry that has one of the permissions', () => {
    const list = [acl(Perm.read, 'world', 'anyone'), acl(Perm.write | Perm.admin, 'digest', ANN.id)]
    expect(isPermitted(list, Perm.read, [])).toBe(true)
    expect(isPermitted(list, Perm.write, [])).toBe(false)
    expect(isPermitted(list, Perm.write, [BOB])).toBe(false)
    expect(isPermitted(list, Perm.write, [BOB, ANN])).toBe(true)
    expect(isPermitted(list, Perm.delete, [ANN])).toBe(false)
    expect(isPermitted(list, Perm.delete | Perm.admin, [ANN])).toBe(true)
  })

  it('is who is at an address of the range', () => {
    expect(isPermitted([acl(31, 'ip', '10.0.0.0/8')], Perm.read, [HOME])).toBe(true)
    expect(isPermitted([acl(31, 'ip', '11.0.0.0/8')], Perm.read, [HOME])).toBe(false)
  })

  it('is the superuser, whatever the list', () => {
    expect(isPermitted([acl(0, 'digest', ANN.id)], Perm.delete, [{ scheme: 'super', id: '' }])).toBe(true)
  })

  it('is who was proved by SASL, and nobody else of that name', () => {
    const list = [acl(31, 'sasl', 'ann')]
    expect(isPermitted(list, Perm.read, [{ scheme: 'sasl', id: 'ann' }])).toBe(true)
    expect(isPermitted(list, Perm.read, [{ scheme: 'sasl', id: 'bob' }, { scheme: 'digest', id: 'ann' }])).toBe(false)
  })

  it('is nobody by a digest in a form that there is not, as in ZooKeeper: the node stays closed', () => {
    const salted = completed([acl(Perm.all, 'digest', 'ann:{SSHA256}c2FsdA==$aGFzaA==')], [ANN])
    expect(salted).toEqual([acl(Perm.all, 'digest', 'ann:{SSHA256}c2FsdA==$aGFzaA==')])
    expect(isPermitted(salted as readonly Acl[], Perm.read, [ANN])).toBe(false)
    expect(visibleAcl(salted as readonly Acl[], [ANN])).toEqual([acl(Perm.all, 'digest', 'ann:x')])
  })

  it('is nobody by a scheme that there is not', () => {
    expect(isPermitted([acl(31, 'none', 'ann')], Perm.read, [{ scheme: 'none', id: 'ann' }])).toBe(false)
  })
})

describe('the list that is asked for', () => {
  it('is the shared one where it is open', () => {
    expect(completed([acl(31, 'world', 'anyone')], [])).toBe(OPEN_ACL)
    expect(sharedAcl([acl(31, 'world', 'anyone')])).toBe(OPEN_ACL)
    expect(sharedAcl([acl(1, 'world', 'anyone')])).not.toBe(OPEN_ACL)
  })

  it('has each entry once', () => {
    const list = [acl(1, 'world', 'anyone'), acl(31, 'digest', ANN.id), acl(1, 'world', 'anyone')]
    expect(completed(list, [])).toEqual(list.slice(0, 2))
  })

  it('has who the requester is in place of auth, but not where', () => {
    expect(completed([acl(5, 'auth', 'ignored')], [HOME, ANN, BOB])).toEqual([
      acl(5, 'digest', ANN.id),
      acl(5, 'digest', BOB.id),
    ])
    expect(completed([acl(5, 'auth', '')], [HOME])).toBe(Err.invalidAcl)
  })

  it('takes null for the id of auth, as kazoo sends it', () => {
    const list = [acl(31, 'auth', null), acl(1, 'world', 'anyone')]
    expect(completed(list, [HOME, ANN])).toEqual([acl(31, 'digest', ANN.id), acl(1, 'world', 'anyone')])
    expect(completed([acl(31, 'auth', null)], [HOME])).toBe(Err.invalidAcl)
  })

  it.each([
    [[acl(31, 'world', 'anyone'), acl(31, null, 'anyone')]],
    [[acl(31, 'auth', null), acl(31, 'auth', null)]],
    [[acl(1, 'sasl', 'ann'), acl(31, 'auth', ''), acl(31, 'auth', null)]],
  ])('cannot be read with a null that would be compared with an earlier entry: %j', (list) => {
    expect(completed(list, [ANN])).toBe(Err.marshallingError)
  })

  it('may have a null that no earlier entry is compared with', () => {
    expect(completed([acl(1, 'auth', null), acl(31, 'auth', null)], [ANN])).toHaveLength(2)
    expect(completed([acl(31, 'digest', BOB.id), acl(31, 'auth', null)], [ANN])).toHaveLength(2)
  })

  it.each(['world', 'digest', 'ip'])('cannot be read with null for an id of %s, if it gets that far', (scheme) => {
    expect(completed([acl(31, scheme, null)], [ANN])).toBe(Err.marshallingError)
    expect(completed([acl(31, 'sasl', null), acl(31, scheme, null)], [ANN])).toBe(Err.invalidAcl)
  })

  it.each([
    [[]],
    [[acl(31, 'world', 'somebody')]],
    [[acl(31, 'digest', 'ann')]],
    [[acl(31, 'digest', 'ann:')]],
    [[acl(31, 'digest', ':')]],
    [[acl(31, 'digest', 'a:b:c')]],
    [[acl(31, 'ip', '10.0.0.0/33')]],
    [[acl(31, 'sasl', 'ann')]],
    [[acl(31, '', '')]],
    [[acl(31, null, 'ann')]],
    [[acl(31, null, null)]],
    [[acl(31, 'sasl', null)]],
    [[acl(31, 'world', 'anyone'), acl(31, 'ip', 'home')]],
  ])('is refused: %j', (list) => {
    expect(completed(list, [ANN])).toBe(Err.invalidAcl)
  })

  it.each(['ann:hash', ':hash', 'ann:hash::'])('may have the digest %s', (id) => {
    expect(completed([acl(31, 'digest', id)], [])).toEqual([acl(31, 'digest', id)])
  })
})

describe('a list', () => {
  const many = (count: number, perms = 1): Acl[] => {
    return Array.from({ length: count }, (_, i) => acl(perms, 'digest', `user-${i}:hash`))
  }
  const people = (count: number): Identity[] => {
    return Array.from({ length: count }, (_, i) => ({ scheme: 'digest', id: `person-${i}:hash` }))
  }

  it('has a limit of entries, of which duplicates are none', () => {
    expect(completed(many(ACL_ENTRIES_MAX), [])).toHaveLength(ACL_ENTRIES_MAX)
    expect(completed(many(ACL_ENTRIES_MAX + 1), [])).toBe(Err.invalidAcl)
    expect(completed([...many(600), ...many(600)], [])).toEqual(many(600))
    const auths = Array.from({ length: 11 }, (_, i) => acl(i + 1, 'auth', ''))
    expect(completed(auths.slice(0, 10), people(100))).toHaveLength(1_000)
    expect(completed(auths, people(100))).toBe(Err.invalidAcl)
  })

  it('can name users of SASL where there are any, by names that ZooKeeper can read', () => {
    const taken = (...list: AclWish[]): unknown => completedAcl(list, [], { chars: 1_000, hasSasl: true })
    for (const id of ['ann', 'zk/host@REALM', 'ann@REALM', '']) {
      expect(taken(acl(31, 'sasl', id))).toEqual([acl(31, 'sasl', id)])
    }
    expect(taken(acl(31, 'sasl', 'a@b@c'))).toBe(Err.invalidAcl)
    expect(taken(acl(31, 'sasl', null))).toBe(Err.marshallingError)
    expect(completed([acl(31, 'auth', '')], [{ scheme: 'sasl', id: 'ann' }])).toEqual([acl(31, 'sasl', 'ann')])
  })

  it('can have a limited number of people in place of auth, in all lists of a request together', () => {
    const allowance = { chars: 2_000, hasSasl: false }
    const expand = (): readonly Acl[] | number => completedAcl([acl(31, 'auth', '')], people(50), allowance)
    expect([expand(), expand()]).toEqual([expect.objectContaining({ length: 50 }), Err.invalidAcl])
  })

  it('as long as a request can be takes no time that anybody notices', () => {
    const distinct = many(44_000).map((entry, i) => ({ ...entry, perms: i }))
    const same = Array.from({ length: 44_000 }, () => acl(1, 'digest', 'a:b'))
    const auths = Array.from({ length: 40_000 }, (_, i) => acl(i, 'auth', ''))
    expect(cpuMsOf(() => completed(distinct, []))).toBeLessThan(CPU_MS_MAX)
    expect(cpuMsOf(() => completed(same, []))).toBeLessThan(CPU_MS_MAX)
    expect(cpuMsOf(() => completed(auths, people(100)))).toBeLessThan(CPU_MS_MAX)
    const colons = `${':'.repeat(500_000)}x`
    expect(cpuMsOf(() => completed([acl(1, 'digest', colons)], []))).toBeLessThan(CPU_MS_MAX)
    expect(cpuMsOf(() => isAddressRange(`:${'%'.repeat(500_000)}\n`))).toBeLessThan(CPU_MS_MAX)
  })

  it('is looked through once for each client, however often it is asked about', () => {
    const list = many(ACL_ENTRIES_MAX)
    const identities = people(100)
    expect(cpuMsOf(() => {
      for (let i = 0; i < 30_000; i++) if (isPermitted(list, Perm.read, identities)) throw new Error('permitted')
    })).toBeLessThan(CPU_MS_MAX)
  })
})

describe('what is told of a list', () => {
  const list = [acl(Perm.read, 'world', 'anyone'), acl(31, 'digest', ANN.id), acl(1, 'ip', '10.0.0.1')]

  it('is all of it to who may change it', () => {
    expect(visibleAcl(list, [ANN])).toEqual(list)
  })

  it('has no hash of a password for anybody else', () => {
    expect(visibleAcl(list, [BOB])).toEqual([list[0], acl(31, 'digest', 'ann:x'), list[2]])
  })
})
