/**
 * Notices of clients for any listener in the process, by channels of `node:diagnostics_channel`.
 *
 *     quorate:call  quorate:wait  quorate:lease  quorate:publish     tracing channels, see `tracingChannel`
 *     quorate:state  quorate:election                                plain channels
 *
 * Messages  of a tracing channel: the beginning at `start` and `end`, which come at once in the context of the caller;
 *           the same object with the fields of the notice at `asyncStart` and `asyncEnd`, and before these at `error`
 *           if it has failed. A lease starts when it is acquired and ends when it is released or lost.
 * Cost      a channel that nobody listens to makes no message.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel'
import type { TracingChannel } from 'node:diagnostics_channel'
import type { Beginning, ElectionNotice, EndNotice, LeaseNotice, Observer, StateNotice } from '../core/observer.ts'

type Subject = Beginning['type']

/** A message of a tracing channel; fields are added as the operation goes on. */
interface Message {
  readonly type: Subject
  readonly error?: unknown
}

const TRACED: Readonly<Record<Subject, TracingChannel>> = {
  call: tracingChannel('quorate:call'),
  wait: tracingChannel('quorate:wait'),
  lease: tracingChannel('quorate:lease'),
  publish: tracingChannel('quorate:publish'),
}
const ALL = Object.values(TRACED)
const STATE = channel('quorate:state')
const ELECTION = channel('quorate:election')

function begin(beginning: Beginning): Message | undefined {
  const { start, end } = TRACED[beginning.type]
  if (!isHeard(TRACED[beginning.type])) return undefined
  const message = { ...beginning }
  start.publish(message)
  end.publish(message)
  return message
}

function ended({ begun, ...notice }: EndNotice): void {
  // Somebody listens since then only.
  if (begun === undefined) return
  const message = Object.assign(begun as Message, notice)
  const { asyncStart, asyncEnd, error } = TRACED[message.type]
  if (message.error !== undefined) error.publish(message)
  asyncStart.publish(message)
  asyncEnd.publish(message)
}

function leaseEnded(notice: LeaseNotice): void {
  if (notice.event !== 'acquired') ended(notice)
}

function isHeard({ start, end, asyncStart, asyncEnd, error }: TracingChannel): boolean {
  return [start, end, asyncStart, asyncEnd, error].some(({ hasSubscribers }) => hasSubscribers)
}

/** The observer that feeds the channels. Its methods are there while somebody listens. */
export const channels: Observer = {
  get onBegin() {
    return ALL.some(isHeard) ? begin : undefined
  },
  get onCall() {
    return isHeard(TRACED.call) ? ended : undefined
  },
  get onWait() {
    return isHeard(TRACED.wait) ? ended : undefined
  },
  get onLease() {
    return isHeard(TRACED.lease) ? leaseEnded : undefined
  },
  get onPublish() {
    return isHeard(TRACED.publish) ? ended : undefined
  },
  get onState() {
    return STATE.hasSubscribers ? (notice: StateNotice) => STATE.publish(notice) : undefined
  },
  get onElection() {
    return ELECTION.hasSubscribers ? (notice: ElectionNotice) => ELECTION.publish(notice) : undefined
  },
}
