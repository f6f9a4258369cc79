/** The files of TLS that cannot be used: a message names file and key, and never a password. */
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTlsFiles } from '../../../../../src/backends/embedded/host/tls/tls-files.ts'
import { authority } from '../../../../support/certificates.ts'

const ca = authority('files')
const good = ca.issue()
const PASSWORD = 'hush-hush'
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-tls-files-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function file(content: string | Buffer): string {
  const path = join(folder, String(Math.random()))
  writeFileSync(path, content)
  return path
}

function locked(): string {
  const key = createPrivateKey(good.key).export({
    type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD,
  })
  return file(`${String(key)}${good.certificate}`)
}

it('gives what node:tls takes, of TLS 1.2 at least, and no authority that was not named', () => {
  const keyStore = file(good.keyStore)
  expect(readTlsFiles({ keyStore }, 'ssl')).toMatchObject({ ca: [], minVersion: 'TLSv1.2' })
  const trustStore = file(ca.certificate)
  expect(readTlsFiles({ keyStore, trustStore }, 'ssl').ca).toEqual(Buffer.from(ca.certificate))
  expect(readTlsFiles({ keyStore: locked(), keyStorePassword: PASSWORD }, 'ssl')).toBeDefined()
})

it.each([
  ['keyStore', () => join(folder, 'none'), 'there is no such file'],
  ['keyStore', () => file(good.certificate), 'there is no private key in it'],
  ['keyStore', () => file(good.key), 'there is no certificate in it'],
  ['keyStore', () => file(good.key + ca.certificate), 'its private key is not that of its first certificate'],
  ['keyStore', () => file(Buffer.from('feedfeed00000002', 'hex')), 'it is a Java key store: keytool -importkeystore'],
  ['keyStore', locked, 'its private key needs a password'],
  ['trustStore', () => file('nothing'), 'there is no certificate in it'],
  ['trustStore', () => file(Buffer.from('3082', 'hex')), 'a trust store has to be PEM: openssl pkcs12'],
] as const)('names the %s, its key and why', (store, path, why) => {
  const files = { keyStore: file(good.keyStore), [store]: path() }
  const kind = store === 'keyStore' ? 'key store' : 'trust store'
  const start = `cannot use the ${kind} ${files[store]} (ssl.quorum.${store}.location): ${why}`
  expect(() => readTlsFiles(files, 'ssl.quorum')).toThrow(start)
})

it('does not show a wrong password', () => {
  const files = { keyStore: locked(), keyStorePassword: 'another-one' }
  expect(() => readTlsFiles(files, 'ssl')).toThrow(/its password is another one$/)
})
