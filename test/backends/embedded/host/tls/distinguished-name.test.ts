/** Subjects of certificates, as Java 17 writes them. */
import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { subjectOf } from '../../../../../src/backends/embedded/host/tls/distinguished-name.ts'
import { authority } from '../../../../support/certificates.ts'

const ca = authority('names')

it.each([
  [[['C', 'DE'], ['O', 'Example, Inc.'], ['CN', 'alice']], 'CN=alice,O=Example\\, Inc.,C=DE'],
  [[['CN', ' #x+y=z"<>;\\ ']], 'CN=\\ \\#x\\+y\\=z\\"\\<\\>\\;\\\\\\ '],
  [[['CN', '#a']], 'CN=\\#a'],
  [[['CN', 'Jürgen Größe €']], 'CN=Jürgen Größe €'],
  [[['2a864886f70d010901', 'a@b.c'], ['CN', 'm']], 'CN=m,1.2.840.113549.1.9.1=#0c056140622e63'],
  [[['CN', 'a  b']], 'CN=a  b'],
  [[['CN', '  ']], 'CN=\\ \\ '],
  [[['0992268993f22c640119', 'dc'], ['0992268993f22c640101', 'uid'], ['CN', 'x']], 'CN=x,UID=uid,DC=dc'],
] as const)('of %j is %s', (subject, text) => {
  expect(subjectOf(new X509Certificate(ca.issue({ subject }).certificate).raw)).toBe(text)
})
