/**
 * The kind of node that a create request makes.
 *
 * Alone     the operation says whether it is a container; `createTTL` takes a time to live, the others do not. The
 *           container flag of any other create makes a plain node.
 * Multi     the flag alone says it, and a plain create with the flag of a time to live cannot even be read.
 * Source    PrepRequestProcessor.pRequest2TxnCreate, CreateMode.java, EphemeralType.java, Op.java of ZooKeeper 3.8.
 */
import { CreateFlag, Err, OpCode } from '../../../wire/codes.ts'
import type { CreateRequest, CreateTtlRequest, MultiOperation } from '../../../wire/records.ts'
import { CONTAINER, PERSISTENT, TTL_MS_MAX } from '../state/node.ts'
import type { Ownership } from '../state/node.ts'

type CreateOp = typeof OpCode.create | typeof OpCode.create2 | typeof OpCode.createContainer

/** A create request of any kind. */
export type Creation =
  | { readonly op: CreateOp; readonly body: CreateRequest }
  | { readonly op: typeof OpCode.createTTL; readonly body: CreateTtlRequest }

const FLAGS: ReadonlySet<number> = new Set(Object.values(CreateFlag))

/**
 * The owner of the node that a create makes.
 *
 * @param extendedTypes - whether nodes may have a time to live
 * @returns an error number if its flags or its time to live are not right
 */
export function ownershipFor(request: Creation, sessionId: bigint, extendedTypes: boolean): Ownership | number {
  const { flags } = request.body
  if (!FLAGS.has(flags)) return Err.badArguments
  if (hasTtlFlag(flags) && !extendedTypes) return Err.unimplemented
  if (request.op === OpCode.createTTL) {
    const { ttl } = request.body
    const isRight = hasTtlFlag(flags) && ttl >= 1n && ttl <= TTL_MS_MAX
    return isRight ? { kind: 'ttl', ttlMs: Number(ttl) } : Err.badArguments
  }
  if (hasTtlFlag(flags)) return Err.badArguments
  if (request.op === OpCode.createContainer) return CONTAINER
  return isEphemeral(flags) ? { kind: 'ephemeral', owner: sessionId } : PERSISTENT
}

/** Whether the flags of a plain create, or of any create in a multi, make an ephemeral node. */
export function isEphemeral(flags: number): boolean {
  return flags === CreateFlag.ephemeral || flags === CreateFlag.ephemeralSequential
}

/** Whether the node gets a number after its name. */
export function isSequential(flags: number): boolean {
  return (
    flags === CreateFlag.persistentSequential ||
    flags === CreateFlag.ephemeralSequential ||
    flags === CreateFlag.persistentSequentialWithTtl
  )
}

/**
 * A part of a multi as it is understood there.
 *
 * @returns null if it cannot be read as anything, and the multi cannot either
 */
export function partOfMulti(part: MultiOperation): MultiOperation | null {
  switch (part.op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
      if (hasTtlFlag(part.body.flags)) return null
      return { op: part.body.flags === CreateFlag.container ? OpCode.createContainer : OpCode.create, body: part.body }
    case OpCode.createTTL:
      if (hasTtlFlag(part.body.flags)) return part
      return partOfMulti({ op: OpCode.create, body: part.body })
    default:
      return part
  }
}

function hasTtlFlag(flags: number): boolean {
  return flags === CreateFlag.persistentWithTtl || flags === CreateFlag.persistentSequentialWithTtl
}
