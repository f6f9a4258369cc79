/**
 * Certificates for tests, made here: authorities, and what they sign, as PEM.
 *
 * Use       const ca = authority('test'); ca.certificate; ca.issue({ hosts: ['localhost', '127.0.0.1'] }).keyStore
 */
import { createSign, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { isIP } from 'node:net'

const DAY_MS = 86_400_000
const OIDS: Readonly<Record<string, string>> = { CN: '550403', O: '55040a', OU: '55040b', C: '550406', ST: '550408' }
const ECDSA_SHA256 = sequence(hex('06082a8648ce3d040302'))

/** The fields of a certificate to make. */
export interface CertificateOptions {
  /** Names and IPv4 addresses that it is for. */
  readonly hosts?: readonly string[]
  /** The subject as pairs of type and value, the first one first. Default CN=test. */
  readonly subject?: readonly (readonly [type: string, value: string])[]
  /** Whether its time is over. */
  readonly isExpired?: boolean
}

/** A key and its certificate. */
export interface Issued {
  /** Both in one text, as a key store of PEM has them. */
  readonly keyStore: string
  readonly key: string
  readonly certificate: string
}

/** One that signs. */
export interface Authority {
  /** Its own certificate, as a trust store has it. */
  readonly certificate: string
  issue(options?: CertificateOptions): Issued
}

/** Makes an authority. */
export function authority(name: string): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = nameOf([['CN', name]])
  const content = { issuer, subject: issuer, isAuthority: true, days: [-1, 2], hosts: [] } as const
  const certificate = signed(content, publicKey, privateKey)
  return { certificate, issue: (options) => issue(issuer, privateKey, options) }
}

function issue(issuer: Buffer, signer: KeyObject, options: CertificateOptions = {}): Issued {
  const { hosts = [], subject = [['CN', 'test']], isExpired = false } = options
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const days = isExpired ? ([-3, -2] as const) : ([-1, 2] as const)
  const certificate = signed({ issuer, subject: nameOf(subject), isAuthority: false, days, hosts }, publicKey, signer)
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { key, certificate, keyStore: key + certificate }
}

interface Content {
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly isAuthority: boolean
  readonly days: readonly [from: number, to: number]
  readonly hosts: readonly string[]
}

function signed({ issuer, subject, isAuthority, days, hosts }: Content, key: KeyObject, signer: KeyObject): string {
  const [from, to] = days.map((day) => der(0x18, Buffer.from(`${timeOf(day)}Z`)))
  const names = hosts.map((host) => {
    const isAddress = isIP(host) !== 0
    return isAddress ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host))
  })
  const isCa = sequence(isAuthority ? hex('0101ff') : hex(''))
  const constraint = sequence(hex('0603551d13'), hex('0101ff'), der(0x04, isCa))
  const alternatives = names.length === 0 ? [] : [sequence(hex('0603551d11'), der(0x04, sequence(...names)))]
  const body = sequence(
    hex('a003020102'),
    der(0x02, Buffer.concat([hex('01'), randomBytes(8)])),
    ECDSA_SHA256,
    issuer,
    sequence(from ?? hex(''), to ?? hex('')),
    subject,
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(constraint, ...alternatives)),
  )
  const signature = createSign('sha256').update(body).sign(signer)
  const bytes = sequence(body, ECDSA_SHA256, der(0x03, Buffer.concat([hex('00'), signature])))
  const lines = bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`
}

function timeOf(day: number): string {
  return new Date(Date.now() + day * DAY_MS).toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')
}

function nameOf(pairs: readonly (readonly [string, string])[]): Buffer {
  return sequence(...pairs.map(([type, value]) => {
    const oid = hex(OIDS[type] ?? type)
    return der(0x31, sequence(der(0x06, oid), der(0x0c, Buffer.from(value))))
  }))
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  if (length < 0x100) return Buffer.concat([Buffer.from([tag, 0x81, length]), content])
  return Buffer.concat([Buffer.from([tag, 0x82, length >> 8, length & 0xff]), content])
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
