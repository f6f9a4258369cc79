/** The option `sasl` of a client: who it is, how it proves it, and where its password comes from. */
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { textOf } from '../../core/value-text.ts'
import { digestClient } from '../sasl/digest-md5.ts'
import { newNonce } from '../sasl/io/nonce.ts'
import { SASL_MECHANISMS } from '../sasl/mechanism.ts'
import type { SaslMechanism } from '../sasl/mechanism.ts'
import { rememberedScramKeys, scramClient } from '../sasl/scram.ts'
import { prepared } from '../sasl/prepared-text.ts'
import { firstLineOf } from './io/password-file.ts'
import type { BeginExchange } from './sasl-proof.ts'

/** Who a client is, by SASL. */
export interface SaslLogin {
  /** The user; its identity on the servers is `sasl:username`. */
  readonly username: string
  /** Its password; or give `passwordFile`. */
  readonly password?: string
  /** A file whose first line is the password. It is read for each connection, so that it can be replaced. */
  readonly passwordFile?: string
  /**
   * `SCRAM-SHA-256`, which is the default and which our servers speak, or `DIGEST-MD5`, which ZooKeeper's speak, and
   * which is weak: use it over TLS. No other one is used instead of the one that is named here.
   */
  readonly mechanism?: SaslMechanism
}

const NAMES = optionNames<SaslLogin>({ username: true, password: true, passwordFile: true, mechanism: true })

/** Checks the option, and returns the beginning of its exchanges. Throws TypeError without showing a secret. */
export function beginSaslOf(option: SaslLogin | null): BeginExchange {
  refuseUnknown(option, NAMES, 'sasl')
  const { username, password, passwordFile, mechanism = 'SCRAM-SHA-256' } = option ?? {}
  if (typeof username !== 'string' || username === '') throw new TypeError('sasl.username must be a name')
  if (!SASL_MECHANISMS.includes(mechanism)) {
    const hint = (mechanism as string) === 'GSSAPI' ? ': Kerberos is not spoken here' : ''
    throw new TypeError(`sasl.mechanism must be ${SASL_MECHANISMS.join(' or ')}, got ${textOf(mechanism)}${hint}`)
  }
  if ((password === undefined) === (passwordFile === undefined)) {
    throw new TypeError('sasl needs either a password or a passwordFile')
  }
  if (password !== undefined && (typeof password !== 'string' || password === '')) {
    throw new TypeError('sasl.password must be a text')
  }
  if (passwordFile !== undefined && typeof passwordFile !== 'string') {
    throw new TypeError('sasl.passwordFile must be the name of a file')
  }
  prepared(username)
  const keysOf = rememberedScramKeys()
  return async () => {
    const secret = password ?? (await firstLineOf(passwordFile ?? ''))
    if (mechanism === 'DIGEST-MD5') return digestClient(username, secret, newNonce())
    return scramClient(username, secret, newNonce(), keysOf)
  }
}
