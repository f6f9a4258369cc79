/** Errors of etcd while a session is opened: each is reported in our words, with etcd's own as the cause. */
import { createServer } from 'node:http2'
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { etcd } from '../../../src/backends/etcd/index.ts'
import { CoordinationError } from '../../../src/index.ts'

const OF_THE_ENGINE = /etcdserver|rpc|context|RpcError|mvcc|unknown service/
const sessions: ServerHttp2Session[] = []
let server: Http2Server
let [status, message] = [0, '']

beforeEach(async () => {
  server = createServer()
  server.on('session', (session) => void sessions.push(session))
  server.on('stream', (stream) => {
    stream.on('error', () => undefined)
    const told = { 'grpc-status': String(status), 'grpc-message': encodeURIComponent(message) }
    const head = { ':status': 200, 'content-type': 'application/grpc', ...told }
    stream.resume().once('end', () => stream.respond(head, { endStream: true }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy()
  await new Promise((resolve) => server.close(resolve))
})

async function refusal(user?: string): Promise<CoordinationError> {
  const endpoints = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const backend = etcd({ endpoints, ...(user === undefined ? {} : { user, password: 'word' }) })
  const error = await backend.open({ onError: () => undefined }).then(() => null, (reason: unknown) => reason)
  if (error instanceof CoordinationError) return error
  throw new Error(`no CoordinationError: ${String(error)}`)
}

const TOLD: readonly (readonly [number, string, string, RegExp])[] = [
  [14, 'etcdserver: no leader', 'CONNECTION_LOSS', /the cluster has no leader/],
  [14, 'etcdserver: leader changed', 'CONNECTION_LOSS', /the cluster has no leader/],
  [14, 'etcdserver: request timed out', 'CONNECTION_LOSS', /no majority of the cluster answered in time/],
  [4, 'context deadline exceeded', 'CONNECTION_LOSS', /no majority of the cluster answered in time/],
  [2, 'rpc error: code = Unknown', 'CONNECTION_LOSS', /etcd cannot serve now/],
  [12, 'unknown service etcdserverpb.Lease', 'CONNECTION_LOSS', /does not know the request/],
  [8, 'etcdserver: mvcc: database space exceeded', 'SYSTEM_ERROR', /its database is full/],
  [8, 'etcdserver: too many requests', 'SYSTEM_ERROR', /the cause has its words/],
  [11, 'etcdserver: too large lease TTL', 'SYSTEM_ERROR', /shorter session time-out/],
  [7, 'etcdserver: permission denied', 'NO_AUTH', /another user or password/],
]

it.each(TOLD)('status %i, "%s", is %s in our words', async (given, words, code, told) => {
  status = given
  message = words
  const error = await refusal()
  expect(error.code).toBe(code)
  expect(error.message).toMatch(told)
  expect(error.message).not.toMatch(OF_THE_ENGINE)
  expect((error.cause as Error).message).toBe(words)
})

const TOKENS: readonly (readonly [number, string, string, RegExp])[] = [
  [14, 'etcdserver: no leader', 'CONNECTION_LOSS', /the cluster has no leader/],
  [3, 'etcdserver: authentication failed, invalid user ID or password', 'NO_AUTH', /another user or password/],
  [9, 'etcdserver: authentication is not enabled', 'NO_AUTH', /authentication is off in etcd, so give no user/],
]

it.each(TOKENS)('status %i, "%s", where a token is asked for is %s in our words', async (given, words, code, told) => {
  status = given
  message = words
  const error = await refusal('app')
  expect(error.code).toBe(code)
  expect(error.message).toMatch(told)
  expect(error.message).not.toMatch(OF_THE_ENGINE)
  expect((error.cause as Error).message).toBe(words)
})
