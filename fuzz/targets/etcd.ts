/**
 * The content and the answers of an etcd.
 *
 * Input     for `etcd-answers`: the number of the form, then its bytes. For `etcd`: what strangers do to keys: the
 *           number of the key, whether it goes, and a value.
 * Promises  an answer is read, or refused as malformed; a value is a node with a stat that a node can have, or is
 *           refused as `PROTOCOL_VIOLATION`. On a real etcd: those of stranger-judge.ts.
 */
import { isDeepStrictEqual } from 'node:util'
import { etcd as etcdBackend } from '../../src/backends/etcd/index.ts'
import { Frames, framed, messageOf } from '../../src/backends/etcd/grpc.ts'
import { Keys } from '../../src/backends/etcd/keys.ts'
import { Methods } from '../../src/backends/etcd/messages.ts'
import { decodeNode, encodeNode, statOf } from '../../src/backends/etcd/node-value.ts'
import { MalformedMessage } from '../../src/backends/etcd/protobuf.ts'
import type { Message } from '../../src/backends/etcd/protobuf.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import type { Session } from '../../src/core/backend.ts'
import { etcdMissing, startEtcd } from '../../test/engines/etcd.ts'
import { isOfTheEngine } from '../judge.ts'
import { BYTE_MUTATORS, textMutators } from '../mutators.ts'
import { ENGINE_LIMITS, PURE_LIMITS, promise } from '../target.ts'
import type { Target } from '../target.ts'
import type { Form } from './form.ts'
import { InputReader, lengthy } from './records.ts'
import { callsOf, judgeCalls, oddities, prepare } from './stranger-judge.ts'

const LINE = 'quorate1 persistent'
const HEADER = { revision: 7n }
const PAIR = { key: '/p/nodes/1/a', value: Buffer.from(`${LINE} 0 1 1 0\nx`), createRevision: 5n }

function answers<M extends object>(name: string, message: Message<M>, samples: readonly object[]): Form {
  return {
    name,
    seeds: () => samples.map((sample) => message.encode(sample as M)),
    read: (bytes) => message.decode(bytes),
    write: (value) => message.encode(value as M),
  }
}

const nodeValue: Form = {
  name: 'the value of a node',
  seeds: () => ['persistent', 'ephemeral'].map((kind) => {
    const header = { isEphemeral: kind === 'ephemeral', version: 3, ctimeMs: 5, mtimeMs: 6, czxid: 1n }
    return encodeNode(header, Buffer.from('data'))
  }),
  read: (bytes) => {
    const { header, data } = decodeNode(bytes, '/a')
    const node = { ...header, created: 5n, modified: 7n, lease: 0n, dataLength: data.length }
    const stat = statOf(node, { creates: 1, numChildren: 0, pzxid: 6n })
    promise(oddities(stat).length === 0, `a stat with ${oddities(stat).join()} that no node has`)
    return { header, data }
  },
  write: (value) => {
    const { header, data } = value as ReturnType<typeof decodeNode>
    return encodeNode(header, data)
  },
}

const frames: Form = {
  name: 'a stream of gRPC frames',
  seeds: () => [Uint8Array.of(3, ...framed(Buffer.from('one')), ...framed(Buffer.from('two')))],
  read: ([cut = 1, ...stream]) => {
    const bytes = Buffer.from(stream)
    const reader = new Frames()
    const found: Buffer[] = []
    for (let at = 0; at < bytes.length; at += Math.max(1, cut)) {
      found.push(...reader.push(bytes.subarray(at, at + Math.max(1, cut))))
    }
    return found.map(messageTextOf)
  },
}

function messageTextOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1')
  new Keys('/p').read(text)
  return messageOf(text)
}

const FORMS: readonly Form[] = [
  answers('the answer to a transaction', Methods.txn.response, [
    {
      ...{ header: HEADER, succeeded: true },
      responses: [{ range: { kvs: [PAIR], count: 1n } }, { txn: { succeeded: true } }],
    },
    { header: HEADER, succeeded: false, responses: [] },
  ]),
  answers('news of a watch', Methods.watch.response, [
    { header: HEADER, created: true },
    { header: HEADER, canceled: true, compactRevision: 3n, cancelReason: 'x', events: [{ type: 'delete', kv: PAIR }] },
  ]),
  answers('the answer about a lease', Methods.leaseKeepAlive.response, [{ header: HEADER, id: 5n, ttl: 9n }]),
  answers('a token', Methods.authenticate.response, [{ token: 'abc' }]),
  nodeValue,
  frames,
]

/** Whether bytes are refused the way they may be. */
function isRefusal(error: unknown): boolean {
  if (error instanceof MalformedMessage) return true
  if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return error.outcome === 'corrupt'
  const isOfFrames = error instanceof Error && /^(the answer is compressed|\d+ bytes where)/.test(error.message)
  return isOfFrames && !isOfTheEngine(error)
}

/** The target without a server. */
export const etcdAnswers: Target = {
  name: 'etcd-answers',
  reads: 'messages and values of an etcd',
  limits: PURE_LIMITS,
  mutators: [...BYTE_MUTATORS, ...textMutators([LINE, `${LINE} 0 0 0 0\n`, '9'.repeat(30)])],
  isPure: true,
  seeds: () => FORMS.flatMap(({ seeds }, number) => seeds().map((bytes) => Uint8Array.of(number, ...bytes))),
  run(input) {
    const form = FORMS[input[0] ?? 0]
    if (form === undefined) return
    let value: unknown
    try {
      value = form.read(Uint8Array.from(input.subarray(1)))
    } catch (error) {
      if (isRefusal(error)) return
      throw error
    }
    const written = form.write?.(value) ?? null
    if (written === null) return
    promise(isDeepStrictEqual(form.read(written), value), `${form.name} is not read again from what is written`)
  },
}

/** Keys below a prefix. Findings name them by their place. */
const KEYS = [
  ...['nodes/0/', 'nodes/1/a', 'nodes/2/a/b', 'counts/0/', 'counts/1/a', 'counts/2/a/b', 'nodes/2/a/x/y'],
  ...['nodes/2/a/', 'nodes/9/a', 'nodes/x', 'nodes/1/\xff', 'sessions/x', 'sessions/ffffffffffffffff', 'x'],
]
const VALUES = [
  ...['', 'x', '0', '-1', 'NaN', '9'.repeat(60)],
  ...[`${LINE} 0 0 0 0\n`, `${LINE} 9999999999 0 0 0\n`, `${LINE} 0 0 0 1\n`],
  ...['quorate1 ephemeral 0 0 0 0\n', `${LINE} 0 ${'9'.repeat(40)} 0 0\n`, '\xff\xfe'],
]
const ACTS_MAX = 6
const SESSION_MS = 4_000

let where = ''
let prefixes = 0

async function post(method: string, body: object): Promise<void> {
  const answer = await fetch(`${where}${method}`, { method: 'POST', body: JSON.stringify(body) })
  await answer.arrayBuffer()
}

function open(prefix: string, reported: unknown[]): Promise<Session> {
  const backend = etcdBackend(where, { prefix })
  return backend.open({ sessionTimeoutMs: SESSION_MS, onError: (error) => void reported.push(error) })
}

/** The target with a real server. */
export const etcd: Target = {
  name: 'etcd',
  reads: 'keys of a real etcd that strangers have written',
  limits: ENGINE_LIMITS,
  mutators: [...BYTE_MUTATORS, ...textMutators(VALUES)],
  isPure: false,
  missing: etcdMissing,
  seeds: () => KEYS.flatMap((_, key) => [0, 1].map((isGone) => {
    return Uint8Array.of(key, isGone, ...lengthy(Buffer.from(VALUES[key % VALUES.length] ?? '', 'latin1')))
  })),
  async engine() {
    const cluster = await startEtcd(1)
    return { url: cluster.urls[0] ?? '', close: () => cluster.close() }
  },
  async start(url) {
    where = url
  },
  async run(input) {
    prefixes += 1
    const prefix = `/p${prefixes}`
    const reported: unknown[] = []
    const session = await open(prefix, reported)
    await prepare(session)
    const reader = new InputReader(input)
    for (let acts = 0; acts < ACTS_MAX && !reader.isAtEnd; acts++) {
      const name = KEYS[reader.byte() % KEYS.length] ?? ''
      const isGone = reader.byte() % 2 === 1
      const key = Buffer.concat([Buffer.from(`${prefix}/`), Buffer.from(name, 'latin1')]).toString('base64')
      const value = reader.value().toString('base64')
      await post(isGone ? '/v3/kv/deleterange' : '/v3/kv/put', isGone ? { key } : { key, value })
    }
    const another = open(prefix, reported)
    await judgeCalls([...callsOf(session), another], reported)
    const opened = await another.catch(() => null)
    await Promise.all([session.close(), opened?.close()])
  },
}
