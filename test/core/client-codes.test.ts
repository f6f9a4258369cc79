/** The codes that each method of the client documents, and those that it rejects with: the same. */
import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { describe, expect, it, vi } from 'vitest'
import type { Operation } from '../../src/core/backend.ts'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { ERROR_CODES, isCoordinationError } from '../../src/core/errors.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { modelBackend } from '../../src/testing/index.ts'
import { outcomeOf } from '../outcomes.ts'
import { useRig } from './rig.ts'
import { refusal } from './scripted-backend.ts'

const OPERATION_TIMEOUT_MS = 1_000

type Method = 'create' | 'get' | 'exists' | 'children' | 'set' | 'delete' | 'multi' | 'sync' | 'makePath'

/** A call of each method that needs a session. */
const CALLS: Readonly<Record<Method, (client: Client, signal?: AbortSignal) => Promise<unknown>>> = {
  create: (client, signal) => client.create('/a', '', signal && { signal }),
  get: (client, signal) => client.get('/a', signal && { signal }),
  exists: (client, signal) => client.exists('/a', signal && { signal }),
  children: (client, signal) => client.children('/a', signal && { signal }),
  set: (client, signal) => client.set('/a', '', signal && { signal }),
  delete: (client, signal) => client.delete('/a', signal && { signal }),
  multi: (client, signal) => client.multi([], signal && { signal }),
  sync: (client, signal) => client.sync('/', signal && { signal }),
  makePath: (client, signal) => client.makePath('/a', signal && { signal }),
}

const BYTES = new Uint8Array()
const LARGE = new Uint8Array(1_000_001)
const many = (...operations: Operation[]) => (client: Client): Promise<unknown> => client.multi(operations)
const create = (path: string, mode: 'persistent' | 'container' = 'persistent', data = BYTES): Operation => {
  return { type: 'create', path, data, mode }
}

/** Calls that the servers, or the client for them, refuse, in a tree with `/p` and `/p/c`, and `/e`, an ephemeral. */
const REFUSED: Readonly<Record<Method, readonly ((client: Client) => Promise<unknown>)[]>> = {
  create: [
    (client) => client.create('/p'),
    (client) => client.create('/no/a'),
    (client) => client.create('/e/a'),
    (client) => client.create('/a', LARGE),
    (client) => client.create('/a', '', { mode: 'container' }),
  ],
  get: [(client) => client.get('/no')],
  exists: [],
  children: [(client) => client.children('/no')],
  set: [
    (client) => client.set('/no', ''),
    (client) => client.set('/p', '', { version: 9 }),
    (client) => client.set('/p', LARGE),
  ],
  delete: [
    (client) => client.delete('/no'),
    (client) => client.delete('/e', { version: 9 }),
    (client) => client.delete('/p'),
    (client) => client.delete('/'),
  ],
  multi: [
    many(create('/p')),
    many(create('/no/a')),
    many(create('/e/a')),
    many({ type: 'check', path: '/p', version: 9 }),
    many({ type: 'delete', path: '/p', version: -1 }),
    many({ type: 'delete', path: '/', version: -1 }),
    many(create('/a', 'persistent', LARGE)),
    many(create('/a', 'container')),
  ],
  sync: [],
  makePath: [(client) => client.makePath('/e/a')],
}

/** Codes of the `@throws` of each method of the interface Client. */
function documented(): Map<string, ErrorCode[]> {
  const text = readFileSync(new URL('../../src/core/client.ts', import.meta.url), 'utf8')
  const source = ts.createSourceFile('client.ts', text, ts.ScriptTarget.Latest, true)
  const client = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === 'Client')
  if (client === undefined || !ts.isInterfaceDeclaration(client)) throw new Error('there is no interface Client')
  return new Map(
    client.members.filter(ts.isMethodSignature).map((member) => {
      const throwing = ts.getJSDocTags(member).filter(({ tagName }) => tagName.text === 'throws')
      const told = throwing.map((tag) => tag.getText()).join(' ')
      return [member.name.getText(), ERROR_CODES.filter((code) => told.includes(`\`${code}\``))]
    }),
  )
}

const rig = useRig()

/** Runs a call into each state that a client can be in, on a session whose answers are scripted. */
async function codesOfStates(method: Method): Promise<Set<string>> {
  const codes = new Set<string>()
  type Script = (client: Client, call: (signal?: AbortSignal) => void) => Promise<void>
  const run = async (script: Script): Promise<void> => {
    const { client } = await rig.connected({ operationTimeoutMs: OPERATION_TIMEOUT_MS })
    const outcomes: ReturnType<typeof outcomeOf>[] = []
    await script(client, (signal) => void outcomes.push(outcomeOf(CALLS[method](client, signal))))
    await rig.settle()
    for (const { error } of outcomes) codes.add(isCoordinationError(error) ? error.code : `no code: ${String(error)}`)
    await client.close()
  }
  await run(async (client, call) => {
    await client.close()
    call()
  })
  await run(async (client, call) => {
    call()
    await client.close()
  })
  await run(async (_, call) => {
    const controller = new AbortController()
    call(controller.signal)
    await rig.settle()
    controller.abort()
    call(controller.signal)
  })
  await run(async (_, call) => {
    call()
    for (let attempt = 0; attempt < 10; attempt++) {
      await rig.settle()
      rig.backend.last.last.reject(refusal('CONNECTION_LOSS', 'not-sent'))
      await vi.advanceTimersByTimeAsync(OPERATION_TIMEOUT_MS / 5)
    }
  })
  await run(async (_, call) => {
    call()
    await vi.advanceTimersByTimeAsync(OPERATION_TIMEOUT_MS)
    const { last } = rig.backend
    last.become({ status: 'expired' })
    last.last.reject(refusal('SESSION_EXPIRED', 'session-over'))
    await rig.settle()
  })
  return codes
}

async function codesOfRefusals(method: Method): Promise<Set<string>> {
  vi.useRealTimers()
  const withContainers = modelBackend()
  const backend = { ...withContainers, capabilities: { ...withContainers.capabilities, containers: false } }
  await using client = await connect(backend)
  await client.makePath('/p/c')
  await client.create('/e', '', { mode: 'ephemeral' })
  const codes = new Set<string>()
  for (const call of REFUSED[method]) {
    const error: unknown = await call(client).then(() => 'it was not refused', (thrown: unknown) => thrown)
    codes.add(isCoordinationError(error) ? error.code : `no code: ${String(error)}`)
  }
  return codes
}

describe('every method of the client that waits for the servers', () => {
  it.each(Object.keys(CALLS) as Method[])('%s rejects with the codes that it documents', async (method) => {
    const codes = new Set([...(await codesOfStates(method)), ...(await codesOfRefusals(method))])
    // To have ancestors that vanish ten times needs a script of its own: see client.test.ts.
    if (method === 'makePath') codes.add('NO_NODE')
    expect([...codes].sort()).toEqual([...(documented().get(method) ?? [])].sort())
  })

  it('is in the table', () => {
    const waiting = [...documented()].filter(([, codes]) => codes.length > 0).map(([name]) => name)
    expect(waiting.sort()).toEqual(Object.keys(CALLS).sort())
  })
})
