import { describe, expect, it } from 'vitest'
import { completedAcl, isPermitted, sharedAcl, visibleAcl } from '../../../../src/backends/embedded/server/acl.ts'
import { Err, Perm } from '../../../../src/backends/protocol/codes.ts'
import { OPEN_ACL } from '../../../../src/backends/protocol/records.ts'
import type { AclWish } from '../../../../src/backends/protocol/records.ts'

const ANN = { scheme: 'digest', id: 'ann:hash' }
const BOB = { scheme: 'digest', id: 'bob:hash' }
const HOME = { scheme: 'ip', id: '10.1.2.3' }

function acl<S extends AclWish['scheme'], I extends AclWish['id']>(perms: number, scheme: S, id: I) {
  return { perms, scheme, id }
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

  it('is nobody by a scheme that there is not', () => {
    expect(isPermitted([acl(31, 'sasl', 'ann')], Perm.read, [{ scheme: 'sasl', id: 'ann' }])).toBe(false)
  })
})

describe('the list that is asked for', () => {
  it('is the shared one where it is open', () => {
    expect(completedAcl([acl(31, 'world', 'anyone')], [])).toBe(OPEN_ACL)
    expect(sharedAcl([acl(31, 'world', 'anyone')])).toBe(OPEN_ACL)
    expect(sharedAcl([acl(1, 'world', 'anyone')])).not.toBe(OPEN_ACL)
  })

  it('has each entry once', () => {
    const list = [acl(1, 'world', 'anyone'), acl(31, 'digest', ANN.id), acl(1, 'world', 'anyone')]
    expect(completedAcl(list, [])).toEqual(list.slice(0, 2))
  })

  it('has who the requester is in place of auth, but not where', () => {
    expect(completedAcl([acl(5, 'auth', 'ignored')], [HOME, ANN, BOB])).toEqual([
      acl(5, 'digest', ANN.id),
      acl(5, 'digest', BOB.id),
    ])
    expect(completedAcl([acl(5, 'auth', '')], [HOME])).toBe(Err.invalidAcl)
  })

  it('takes null for the id of auth, as kazoo sends it', () => {
    const list = [acl(31, 'auth', null), acl(1, 'world', 'anyone')]
    expect(completedAcl(list, [HOME, ANN])).toEqual([acl(31, 'digest', ANN.id), acl(1, 'world', 'anyone')])
    expect(completedAcl([acl(31, 'auth', null)], [HOME])).toBe(Err.invalidAcl)
  })

  it.each(['world', 'digest', 'ip'])('cannot be read with null for an id of %s, unless it is refused before', (scheme) => {
    expect(completedAcl([acl(31, scheme, null)], [ANN])).toBe(Err.marshallingError)
    expect(completedAcl([acl(31, 'sasl', null), acl(31, scheme, null)], [ANN])).toBe(Err.invalidAcl)
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
    expect(completedAcl(list, [ANN])).toBe(Err.invalidAcl)
  })

  it.each(['ann:hash', ':hash', 'ann:hash::'])('may have the digest %s', (id) => {
    expect(completedAcl([acl(31, 'digest', id)], [])).toEqual([acl(31, 'digest', id)])
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
