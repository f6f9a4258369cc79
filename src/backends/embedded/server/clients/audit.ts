/**
 * The record of who has changed something, or has claimed to be somebody, and of what came of it.
 *
 * Content   never data, and of a digest identity the user alone.
 * When      with the answer, at the server that gives it: a client that is gone by then has none. What a session's end
 *           takes with it is not told.
 * Source    AuditHelper.java of ZooKeeper 3.8: its operations, and the kinds of nodes.
 */
import { Err, OpCode } from '../../../wire/codes.ts'
import type { MultiOperation, Reply } from '../../../wire/records.ts'
import type { AuditRecord, AuditedOperation } from '../ports.ts'
import { clientInfoOf } from '../state/identities.ts'
import type { Identity } from '../state/identities.ts'
import { isEphemeral, isSequential } from '../writes/create-mode.ts'
import type { WriteOperation } from '../writes/prepare.ts'
import type { Connection, Pending } from './connection.ts'

const OPERATIONS: ReadonlyMap<number, AuditedOperation> = new Map<number, AuditedOperation>([
  [OpCode.create, 'create'],
  [OpCode.create2, 'create'],
  [OpCode.createContainer, 'create'],
  [OpCode.createTTL, 'create'],
  [OpCode.delete, 'delete'],
  [OpCode.deleteContainer, 'delete'],
  [OpCode.setData, 'setData'],
  [OpCode.setAcl, 'setAcl'],
  [OpCode.multi, 'multiOperation'],
  [OpCode.reconfig, 'reconfig'],
  [OpCode.closeSession, 'closeSession'],
])

type Asker = Pick<Connection, 'sessionId' | 'address'>

/**
 * The records of a request that is answered; none if it changes nothing. Each part of a multi has one.
 *
 * @param reply - its answer
 */
export function auditOf(asker: Asker, { op, write, identities }: Pending, reply: Reply): AuditRecord[] {
  const operation = OPERATIONS.get(op)
  if (operation === undefined) return []
  const of = { ...whoIs(asker, identities), operation, path: null, nodeType: null, err: reply.err }
  if (write?.op !== OpCode.multi) return [{ ...of, ...nodeOf(write, reply.body) }]
  const results: readonly unknown[] = Array.isArray(reply.body) ? reply.body : []
  const isRefused = reply.err !== Err.ok || results.some((result) => errOf(result) !== Err.ok)
  const parts = write.body.map((part, index): AuditRecord | null => {
    const partOperation = OPERATIONS.get(part.op)
    if (partOperation === undefined) return null
    const result = results[index]
    // Parts before the one that was refused have no number of their own, and were not done either.
    const err = errOf(result) || (isRefused ? reply.err || Err.runtimeInconsistency : Err.ok)
    return { ...of, operation: partOperation, ...nodeOf(part, result), err }
  })
  return parts.filter((part) => part !== null)
}

/** The record of a claim to be somebody. */
export function auditOfClaim(asker: Asker, identities: readonly Identity[], isTrue: boolean): AuditRecord {
  const err = isTrue ? Err.ok : Err.authFailed
  return { ...whoIs(asker, identities), operation: 'auth', path: null, nodeType: null, err }
}

function whoIs({ sessionId, address }: Asker, identities: readonly Identity[]) {
  const users = clientInfoOf(identities).map(({ authScheme, user }) => `${authScheme}:${user}`)
  return { type: 'audit', sessionId, users, address } as const
}

/** The node of an operation, by the name that it has if it was created. */
function nodeOf(
  write: WriteOperation | MultiOperation | null,
  result: unknown,
): Pick<AuditRecord, 'path' | 'nodeType'> {
  if (write === null || write.body === null || !('path' in write.body)) return { path: null, nodeType: null }
  const { path } = write.body
  if (!('flags' in write.body)) return { path, nodeType: null }
  const isMade = typeof result === 'object' && result !== null && 'path' in result && typeof result.path === 'string'
  return { path: isMade ? result.path as string : path, nodeType: nodeTypeOf(write.op, write.body.flags) }
}

function nodeTypeOf(op: number, flags: number): string {
  if (op === OpCode.createContainer) return 'container'
  const kind = op === OpCode.createTTL ? 'ttl' : isEphemeral(flags) ? 'ephemeral' : 'persistent'
  return isSequential(flags) ? `${kind}_sequential` : kind
}

/** The error number of a part of a multi. */
function errOf(result: unknown): number {
  return typeof result === 'object' && result !== null && 'err' in result ? Number(result.err) : Err.ok
}
