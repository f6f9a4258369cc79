/**
 * Clients that prove who they are: by addauth, and by SASL.
 *
 * Order     out of the order of the other requests, as in the reference: answered at once, and it counts for every
 *           later request.
 * SASL      one exchange per connection. Who fails loses the connection, unless the configuration lets him stay as
 *           nobody; a server without users of SASL says so with a token that is null.
 * Required  where an identity of some scheme is required, a client over a network that has none gets one answer, and
 *           its connection ends. A client in this process needs none: it is in the same hands as the server.
 * Failures  are told to operators, who count them and slow them down (host/attempts.ts); so is a wrong password
 *           of the superuser, although to the client it is an identity like any other.
 * Source    ZooKeeperServer.processPacket and processSasl, AuthenticationHelper.java of ZooKeeper.
 */
import { Err, OWN_SERVER, OpCode } from '../../../wire/codes.ts'
import type { AuthRequest, Reply, Request } from '../../../wire/records.ts'
import type { AuditRecord, AuthFailure, SaslStep, ServerPorts } from '../ports.ts'
import { authenticate, isWrongSuper, merged } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import { auditOfClaim } from './audit.ts'
import type { Connection } from './connection.ts'

/** The server around, as proofs use it. */
export interface ProofsHost {
  /** Whether operators are told who changes what. */
  readonly audit: boolean
  /** The digest of the superuser, who bypasses all ACLs; null: nobody. */
  readonly superDigest: string | null
  /** See {@link ServerConfig}. */
  readonly requiredSchemes: readonly string[]
  readonly allowSaslFailedClients: boolean
  /** Tells operators. */
  report(record: AuditRecord | AuthFailure): void
}

/** Where the answers go. */
interface ProofsOutlet {
  send(connection: Connection, op: number, reply: Reply): void
  close(connection: Connection): void
}

const SASL = 'sasl'
/** Schemes that somebody knows. */
const SCHEMES: readonly string[] = ['digest', 'ip', 'x509', 'super', 'world', 'auth', SASL]
/** Stands for no zxid in answers that have nothing to do with the state. */
const NO_ZXID = 0n

/** The proofs of all clients of one server. */
export class Proofs {
  readonly #host: ProofsHost
  readonly #ports: Pick<ServerPorts, 'digest' | 'sasl'>
  readonly #outlet: ProofsOutlet

  constructor(host: ProofsHost, ports: Pick<ServerPorts, 'digest' | 'sasl'>, outlet: ProofsOutlet) {
    this.#host = host
    this.#ports = ports
    this.#outlet = outlet
  }

  /**
   * Whether a request may be done for a client. Anybody may ask whether this is a server of ours: clients of ours do
   * before they tell it anything.
   */
  areEnough({ address, identities }: Connection, request: Request | null): boolean {
    const { requiredSchemes } = this.#host
    if (requiredSchemes.length === 0 || address === '') return true
    if (request?.op === OpCode.exists && request.body.path === OWN_SERVER) return true
    return identities.some(({ scheme }) => requiredSchemes.includes(scheme))
  }

  /** Ends the connection of a client for which nothing may be done. */
  refuse(connection: Connection, op: number, xid: number): void {
    const err = Err.sessionClosedRequireSaslAuth
    this.#outlet.send(connection, op, { xid, zxid: NO_ZXID, err, body: null })
    this.#fail(connection, '?', null, 'it asked for something before it had proved who it is', false)
    this.#outlet.close(connection)
  }

  /** A claim by addauth; null if it could not be read. */
  claim(connection: Connection, xid: number, claim: AuthRequest | null): void {
    const { superDigest } = this.#host
    const authority = { superDigest, digest: this.#ports.digest }
    const identities = claim === null ? null : authenticate(claim, connection, authority)
    const err = identities === null ? Err.authFailed : Err.ok
    this.#outlet.send(connection, OpCode.auth, { xid, zxid: NO_ZXID, err, body: null })
    this.#audit(connection, identities)
    if (identities === null) {
      this.#fail(connection, schemeOf(claim), null, 'the claim is not one that can be proved here', false)
      this.#outlet.close(connection)
      return
    }
    connection.identities = identities
    if (claim === null || !isWrongSuper(claim, authority)) return
    this.#fail(connection, schemeOf(claim), superDigest?.split(':')[0] ?? null, 'wrong password of the superuser')
  }

  /** A token of SASL. */
  exchange(connection: Connection, xid: number, token: Uint8Array): void {
    const { sasl } = this.#ports
    if (sasl === undefined) {
      // The answer of a server that has not been set up for it.
      this.#answer(connection, xid, null)
      return
    }
    connection.sasl ??= sasl.begin()
    const step = connection.sasl.step(token)
    switch (step.kind) {
      case 'challenge':
        this.#answer(connection, xid, step.token)
        break
      case 'proved':
        this.#prove(connection, xid, step)
        break
      case 'refused':
        this.#refuseSasl(connection, xid, step)
    }
  }

  #prove(connection: Connection, xid: number, step: Extract<SaslStep, { kind: 'proved' }>): void {
    const own = { scheme: SASL, id: step.user }
    const proved = step.isSuper ? [own, { scheme: 'super', id: '' }] : [own]
    const identities = merged(connection.identities, proved)
    if (identities === null) {
      this.#refuseSasl(connection, xid, { kind: 'refused', user: step.user, reason: 'it has too many identities' })
      return
    }
    connection.identities = identities
    this.#answer(connection, xid, step.token)
    this.#audit(connection, identities)
  }

  #refuseSasl(connection: Connection, xid: number, step: Extract<SaslStep, { kind: 'refused' }>): void {
    const isRequired = this.#host.requiredSchemes.includes(SASL)
    const mayStay = this.#host.allowSaslFailedClients && !isRequired
    const err = isRequired ? Err.sessionClosedRequireSaslAuth : Err.authFailed
    if (mayStay) this.#answer(connection, xid, null)
    else this.#outlet.send(connection, OpCode.sasl, { xid, zxid: NO_ZXID, err, body: { token: null } })
    this.#audit(connection, null)
    this.#fail(connection, SASL, step.user, step.reason)
    if (!mayStay) this.#outlet.close(connection)
  }

  #answer(connection: Connection, xid: number, token: Uint8Array | null): void {
    this.#outlet.send(connection, OpCode.sasl, { xid, zxid: NO_ZXID, err: Err.ok, body: { token } })
  }

  /** @param identities - null if the claim is refused */
  #audit(connection: Connection, identities: readonly Identity[] | null): void {
    if (!this.#host.audit) return
    this.#host.report(auditOfClaim(connection, identities ?? connection.identities, identities !== null))
  }

  #fail(
    { sessionId, address }: Connection,
    scheme: string,
    user: string | null,
    reason: string,
    isGuess = true,
  ): void {
    this.#host.report({ type: 'auth-failed', sessionId, address, scheme, user, reason, isGuess })
  }
}

/** A scheme that nobody knows may be anything, a password too. */
function schemeOf(claim: AuthRequest | null): string {
  return SCHEMES.find((scheme) => scheme === claim?.scheme) ?? '?'
}
