/**
 * The identity that a client has proved by its certificate, of the scheme x509.
 *
 * Source    X509AuthenticationProvider.handleAuthentication of ZooKeeper 3.8.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { NO_IDENTITIES } from '../../server/state/identities.ts'
import type { Identity } from '../../server/state/identities.ts'
import { subjectOf } from '../tls/distinguished-name.ts'

/** The identities of a connection that was let in; none without a certificate. */
export function certifiedIdentities(
  socket: Socket,
  tls: { readonly superUser: string | null } | null,
): readonly Identity[] {
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return NO_IDENTITIES
  const id = subjectOf(certificate.raw)
  const own = { scheme: 'x509', id }
  return id === tls?.superUser ? [{ scheme: 'super', id }, own] : [own]
}
