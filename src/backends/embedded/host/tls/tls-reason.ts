/** Why a TLS connection was not made, in one line for people. */
import type { PeerCertificate, TLSSocket } from 'node:tls'

/** By the codes of node:tls. */
const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself alone, and is not in the trust store',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of an authority that is not in the trust store',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is of an authority that is not in the trust store',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is of an authority that is not in the trust store',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of an authority that is not in the trust store',
  CERT_SIGNATURE_FAILURE: 'its certificate is not signed by the authority that it names',
  INVALID_PURPOSE: 'its certificate is for another purpose',
  ECONNRESET: 'it ended the connection during the TLS hand-shake: does it speak TLS, and does it trust this server?',
}

/** The first two say what a port is that speaks something else. */
const MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/wrong version number|packet length too long|http request/i, 'it does not speak TLS'],
  [/unsupported protocol|protocol version/i, 'it speaks other versions of TLS'],
  [/no shared cipher|handshake failure/i, 'it has no cipher suite in common with this server'],
  [/alert certificate expired/i, 'it says that the certificate of this server has expired'],
  [/alert (unknown ca|bad certificate|certificate unknown)/i, 'it does not trust the certificate of this server'],
  [/alert certificate required/i, 'it asks for a certificate of this server'],
]

/** The reason of an error of a socket; null if it has nothing to do with TLS. */
export function tlsReason(error: NodeJS.ErrnoException): string | null {
  const { code = '', message } = error
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return otherHostReason(error)
  const known = REASONS[code] ?? MESSAGES.find(([pattern]) => pattern.test(message))?.[1]
  if (known !== undefined) return known
  return code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code.startsWith('CERT_') ? message : null
}

/** Why the other end of a connection that was accepted is not trusted; null if it is. */
export function distrustOf(socket: TLSSocket): string | null {
  if (socket.getPeerX509Certificate() === undefined) return 'it has shown no certificate'
  if (socket.authorized) return null
  const code = String(socket.authorizationError)
  return REASONS[code] ?? `its certificate is not trusted: ${code}`
}

/** The reason of a certificate that is not for the host. */
export function otherHostReason(error: Error): string {
  const { host, cert } = error as Error & { readonly host?: string; readonly cert?: PeerCertificate }
  const names = cert?.subjectaltname ?? `the name ${String(cert?.subject?.CN)}`
  return `its certificate is for ${names}, and not for ${host}`
}
