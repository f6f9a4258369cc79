/** The spans of clients and recipes, by a tracer in memory. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api'
import type { Context, ContextManager } from '@opentelemetry/api'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { OpenTelemetryObserver } from '../../src/observe/opentelemetry.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { SESSION_TIMEOUT_MS, closeAll, failureOf, newRig, pass, run, sessionOf } from '../recipes/rig.ts'
import { useVirtualTime } from '../recipes/rig.ts'
import type { Rig } from '../recipes/rig.ts'
import { MemoryTracer } from './memory-tracer.ts'
import type { MemorySpan } from './memory-tracer.ts'

useVirtualTime()

/** Contexts as in the SDK for Node.js: the active one is that of the asynchronous context. */
class AsyncContexts implements ContextManager {
  readonly #store = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#store.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context, task: F, self?: ThisParameterType<F>, ...args: A
  ): ReturnType<F> {
    return this.#store.run(active, () => task.call(self, ...args))
  }

  bind<T>(_: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    return this
  }
}

beforeAll(() => {
  context.setGlobalContextManager(new AsyncContexts())
})

afterAll(() => {
  context.disable()
})

interface Traced {
  readonly rig: Rig
  readonly tracer: MemoryTracer
  readonly observer: OpenTelemetryObserver
  readonly client: Client
}

async function traced(): Promise<Traced> {
  const [rig, tracer] = [newRig(), new MemoryTracer()]
  const observer = new OpenTelemetryObserver({ tracer })
  return { rig, tracer, observer, client: await run(connect(rig.backend, { observer })) }
}

function named({ spans }: MemoryTracer, name: string): MemorySpan[] {
  return spans.filter((span) => span.name === `quorate ${name}`)
}

it('makes a span per call, with what it failed with and without its text', async () => {
  const { rig, tracer, client } = await traced()
  await run(client.exists('/a'))
  await failureOf(client.get('/b'))
  const failed = { code: SpanStatusCode.ERROR, message: 'NO_NODE' }
  expect(tracer.spans.map(({ name, kind, attributes, status }) => ({ name, kind, attributes, status }))).toEqual([
    { name: 'quorate exists', kind: SpanKind.CLIENT, attributes: { 'quorate.path': '/a' }, status: null },
    {
      name: 'quorate get',
      kind: SpanKind.CLIENT,
      attributes: { 'quorate.path': '/b', 'error.type': 'NO_NODE' },
      status: failed,
    },
  ])
  expect(await closeAll(rig, client)).toEqual([])
})

it('is a child of the span of the caller, also where a lease is acquired later', async () => {
  const { rig, tracer, client } = await traced()
  const request = tracer.startSpan('request')
  const active = trace.setSpan(context.active(), request)
  const lease = await run(context.with(active, () => new FairLock(client, '/l').acquire()))
  await run(lease.release())
  for (const name of ['acquire', 'hold', 'create']) {
    expect([name, new Set(named(tracer, name).map(({ parent }) => parent))]).toEqual([name, new Set([request.id])])
  }
  expect(await closeAll(rig, client)).toEqual([])
})

it.each([
  ['a fair lock', (client: Client) => new FairLock(client, '/l')],
  ['an exclusive lock', (client: Client) => new ExclusiveLock(client, '/x')],
])('links the wait for %s to the lease whose release woke it, of another client too', async (_, lockOf) => {
  const { rig, tracer, observer, client } = await traced()
  const other = await run(connect(rig.backend, { observer }))
  const first = await run(lockOf(other).acquire())
  const acquiring = lockOf(client).acquire()
  await pass(500)
  await run(first.release())
  const second = await run(acquiring)
  await run(second.release())
  await pass(0)
  const [holdOfFirst] = named(tracer, 'hold')
  const [unwoken, woken] = named(tracer, 'acquire')
  expect(unwoken?.links).toEqual([])
  expect(woken?.links.map((link) => link.context)).toEqual([holdOfFirst?.spanContext()])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('links a wait to nothing that it does not know', async () => {
  const { rig, tracer, client } = await traced()
  const other = await rig.connect()
  const first = await run(new ExclusiveLock(other, '/x').acquire())
  const acquiring = new ExclusiveLock(client, '/x').acquire()
  await pass(500)
  await run(first.release())
  await run((await run(acquiring)).release())
  await pass(0)
  expect(named(tracer, 'acquire').map(({ links }) => links)).toEqual([[]])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it('makes spans of elections and changes; a loss ends the hold as an error; each span ends once', async () => {
  const { rig, tracer, client } = await traced()
  await run(new LeaderElection(client, '/e').campaign())
  const config = new ConfigCenter<string>(client, '/c')
  await run(config.publish('a secret'))
  await run(config.close())
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  expect(await closeAll(rig, client)).toEqual([])
  expect(named(tracer, 'elect')[0]?.attributes).toEqual({
    'quorate.path': '/e', 'quorate.kind': 'latch', 'quorate.outcome': 'done',
  })
  expect(named(tracer, 'publish')[0]?.attributes).toEqual({ 'quorate.path': '/c' })
  const [hold] = named(tracer, 'hold')
  expect(hold?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'deadline-passed' })
  expect(hold?.attributes).toMatchObject({ 'quorate.end': 'lost', 'error.type': 'LEASE_LOST' })
  expect(tracer.spans.filter(({ ends }) => ends !== 1).map(({ name }) => name)).toEqual([])
  expect(JSON.stringify(tracer.spans)).not.toContain('secret')
})

it('works without a tracer, and refuses unknown options', async () => {
  const [rig, observer] = [newRig(), new OpenTelemetryObserver()]
  const client = await run(connect(rig.backend, { observer }))
  await run((await run(new FairLock(client, '/l').acquire())).release())
  expect(await closeAll(rig, client)).toEqual([])
  expect(() => new OpenTelemetryObserver({ tracr: 1 } as never)).toThrow(
    'OpenTelemetryObserver has no option "tracr"; did you mean "tracer"?',
  )
})
