/** Calls of the session interface on their way: the request, and the caller who waits for the answer. */
import type { Operation, OperationResult } from '../../core/backend.ts'
import type { CallFailure } from '../../core/session/call-queue.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { refusal } from '../../core/refusal.ts'
import type { WatchedRead } from '../../core/session/wakes.ts'
import type { ArmedWatch, ArmedWatches, Glimpse } from './armed-watches.ts'
import { Status } from './grpc.ts'
import type { RpcError } from './io/channel.ts'
import { statOf } from './node-value.ts'
import { countsOf } from './read-plan.ts'
import type { Answer, CountRead, NodeRead, ReadPlan } from './read-plan.ts'
import type { Hints } from './snapshot.ts'

/** The caller who waits. The type of the answer is that of the method that was called. */
export interface CallEnd {
  /** Fulfils the caller's promise. */
  readonly resolve: (value: never) => void
  /** Rejects it. */
  readonly reject: (error: unknown) => void
}

/** Any call. */
export type Call = ReadCall | WriteCall

/** The findings of a read. */
interface Found {
  readonly node: NodeRead | null
  readonly count: CountRead
  readonly numChildren: number
  readonly names: readonly string[]
}

/** A read, or a sync, which is a read of nothing. */
export class ReadCall {
  readonly path: string
  readonly calledAtMs = performance.now()
  /** The watch that rides on it. */
  readonly watch: ArmedWatch | null
  /** A read changes nothing, so its outcome is never unknown. */
  isSent = false
  readonly #kind: WatchedRead | 'sync'
  readonly #end: CallEnd

  /** Makes a call that was not sent yet. */
  constructor(kind: WatchedRead | 'sync', path: string, watch: ArmedWatch | null, end: CallEnd) {
    this.path = path
    this.watch = watch
    this.#kind = kind
    this.#end = end
  }

  /** Adds what it reads to a plan. */
  plan(plan: ReadPlan): Answer<Found> | null {
    if (this.#kind === 'sync') return null
    const [node, count] = [plan.node(this.path), plan.count(this.path)]
    if (this.#kind === 'children') {
      const names = plan.names(this.path)
      return (answers) => {
        const read = names(answers)
        return { node: node(answers), count: count(answers), numChildren: read.length, names: read }
      }
    }
    const numChildren = plan.numChildren(this.path)
    return (answers) => {
      return { node: node(answers), count: count(answers), numChildren: numChildren(answers), names: [] }
    }
  }

  /**
   * Answers the caller, and arms the watch.
   *
   * @param found - tells what was read; null for a sync
   */
  answer(found: () => Found | null, revision: bigint, watches: ArmedWatches, hints: Hints): void {
    try {
      this.#answer(found(), revision, watches, hints)
    } catch (error) {
      if (this.watch !== null) watches.drop(this.watch)
      this.reject(error)
    }
  }

  reject(error: unknown): void {
    this.#end.reject(error)
  }

  fail(failure: CallFailure): void {
    failWith(this, failure)
  }

  #answer(found: Found | null, revision: bigint, watches: ArmedWatches, hints: Hints): void {
    if (found === null) {
      this.#end.resolve(undefined as never)
      return
    }
    const { node, count, numChildren, names } = found
    hints.note(this.path, revision, { node: node?.state ?? null, count, numChildren })
    if (node === null && this.#kind !== 'exists') throw refusal('NO_NODE', this.path)
    if (this.watch !== null) watches.arm(this.watch, revision, glimpseOf(found))
    const stat = node === null ? null : statOf(node.state, countsOf(count, numChildren))
    if (this.#kind === 'exists') this.#end.resolve(stat as never)
    else if (this.#kind === 'get') this.#end.resolve({ data: node?.data, stat } as never)
    else this.#end.resolve({ names, stat } as never)
  }
}

/** A write of one or several operations. */
export class WriteCall {
  readonly operations: readonly Operation[]
  /** The path of a single operation; null for a multi. */
  readonly path: string | null
  readonly calledAtMs = performance.now()
  /** Whether it may have taken effect without an answer so far. */
  isSent = false
  readonly #end: { readonly resolve: (results: OperationResult[]) => void; readonly reject: (error: unknown) => void }

  /** Makes a call that was not sent yet. */
  constructor(
    operations: readonly Operation[],
    path: string | null,
    end: { readonly resolve: (results: OperationResult[]) => void; readonly reject: (error: unknown) => void },
  ) {
    this.operations = operations
    this.path = path
    this.#end = end
  }

  resolve(results: OperationResult[]): void {
    this.#end.resolve(results)
  }

  reject(error: unknown): void {
    this.#end.reject(error)
  }

  fail(failure: CallFailure): void {
    failWith(this, failure)
  }
}

/** etcd's message about a lease that is too long for it. */
const LONG_TIMEOUT = /too large lease TTL/

/** gRPC's number for a method that a server does not have. */
const UNIMPLEMENTED = 12

/** The error for what etcd refused. */
export function failure(error: RpcError, path: string | null): CoordinationError {
  const where = path === null ? {} : { path }
  const code = codeOf(error)
  return new CoordinationError(code, sentenceOf(code, error), {
    outcome: 'rejected',
    cause: error,
    ...where,
  })
}

function codeOf({ status, message }: RpcError): ErrorCode {
  if (status === Status.permissionDenied || status === Status.unauthenticated) return 'NO_AUTH'
  if (/authentication failed|user name|role|auth/.test(message)) return 'NO_AUTH'
  if (LONG_TIMEOUT.test(message)) return 'SYSTEM_ERROR'
  return /too large|larger than max|too many operations/.test(message) ? 'PAYLOAD_TOO_LARGE' : 'SYSTEM_ERROR'
}

/** The reason of etcd's refusal in our words; its own are the cause. */
function sentenceOf(code: ErrorCode, { message }: RpcError): string {
  if (/authentication is not enabled/.test(message)) return 'authentication is off in etcd, so give no user'
  if (code === 'NO_AUTH') return 'etcd wants another user or password, or the user lacks permissions for the prefix'
  if (code === 'PAYLOAD_TOO_LARGE') return 'the request is larger than etcd takes'
  if (/database space exceeded/.test(message)) return 'etcd takes no writes, since its database is full'
  if (LONG_TIMEOUT.test(message)) return 'etcd takes no lease that long: choose a shorter session time-out'
  return 'etcd refused the request; the cause has its words'
}

/** Why a request was not answered as it should, in our words: etcd's own answer is for the cause. */
export function reasonOf({ status, message }: RpcError): string {
  if (status === 0) return message
  if (/no leader|leader changed|not leader/.test(message)) return 'the cluster has no leader'
  if (/timed out|deadline exceeded/.test(message)) return 'no majority of the cluster answered in time'
  if (status === UNIMPLEMENTED) return 'etcd does not know the request: is it version 3.4 or later?'
  return 'etcd cannot serve now'
}

/** For a call whose request was sent and whose answer did not come. */
export function lostAnswer(error: RpcError): CallFailure & { readonly cause: unknown } {
  return {
    code: 'CONNECTION_LOSS',
    message: `the answer of etcd was lost: ${reasonOf(error)}`,
    outcome: 'unknown',
    cause: error,
  }
}

function failWith(call: Call, failure: CallFailure & { readonly cause?: unknown }): void {
  const { code, message, outcome, cause } = failure
  const where = call.path === null ? {} : { path: call.path }
  call.reject(new CoordinationError(code, message, { outcome: call.isSent ? 'unknown' : outcome, cause, ...where }))
}

function glimpseOf({ node, count, numChildren }: Found): Glimpse {
  const { created = 0n, modified = 0n } = node?.state ?? {}
  return { created, modified, counted: count.counted, numChildren }
}
