/** Messages on the channels, and that one without listeners costs nothing. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, expect, it } from 'vitest'
import { connect, FairLock } from 'quorate'
import type { Client } from 'quorate'
import { modelBackend } from '../../src/testing/model/backend.ts'
import { channels } from '../../src/observe/channels.ts'

interface Message {
  readonly type: string
  readonly method?: string
  readonly path?: string
  readonly event?: string
  readonly outcome?: string
  readonly durationMs?: number
}

const SUBJECTS = ['call', 'wait', 'lease', 'publish'] as const
const ends: (() => unknown)[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end()
})

function hear(name: string, listener: (message: unknown) => void): void {
  subscribe(name, listener)
  ends.push(() => unsubscribe(name, listener))
}

/** Listens to every event of a tracing channel. */
function listen(subject: string): { readonly events: string[]; readonly messages: Message[] } {
  const heard = { events: [] as string[], messages: [] as Message[] }
  for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const) {
    hear(`tracing:quorate:${subject}:${event}`, (message) => {
      heard.events.push(event)
      heard.messages.push(message as Message)
    })
  }
  return heard
}

async function open(): Promise<Client> {
  return connect(modelBackend({ latencyMs: 0, sessionTimeoutMs: 9_000 }))
}

it('tells of a call from its beginning to its end, by one object, to who subscribed later', async () => {
  const client = await open()
  const { events, messages } = listen('call')
  const reading = client.exists('/a')
  expect(events).toEqual(['start', 'end'])
  await reading
  await expect(client.get('/b')).rejects.toThrow()
  await client.close()
  expect(events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd', 'start', 'end', 'error', 'asyncStart', 'asyncEnd'])
  expect(new Set(messages).size).toBe(2)
  expect(messages[0]).toMatchObject({ type: 'call', method: 'exists', path: '/a', error: undefined })
  expect(messages.at(-1)).toMatchObject({ method: 'get', path: '/b', error: { code: 'NO_NODE' } })
})

it('tells of waits and leases, and of the start in the context of the caller', async () => {
  const client = await open()
  const request = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  const [waits, leases] = [listen('wait'), listen('lease')]
  hear('tracing:quorate:wait:start', () => seen.push(request.getStore()))
  hear('tracing:quorate:lease:start', () => seen.push(request.getStore()))
  const lease = await request.run('request 7', () => new FairLock(client, '/locks/a').acquire())
  await lease.release()
  await client.close()
  expect(seen).toEqual(['request 7', 'request 7'])
  expect(waits.events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(waits.messages.at(-1)).toMatchObject({ type: 'wait', what: 'acquire', path: '/locks/a', outcome: 'done' })
  expect(leases.events).toEqual(['start', 'end', 'asyncStart', 'asyncEnd'])
  expect(leases.messages.at(-1)).toMatchObject({ type: 'lease', path: lease.path, event: 'released' })
})

it('tells of states on a plain channel', async () => {
  const states: unknown[] = []
  hear('quorate:state', (notice) => states.push((notice as { state: { status: string } }).state.status))
  const client = await open()
  await client.close()
  expect(states).toEqual(['connected', 'closed'])
})

it('has no method for what nobody listens to', () => {
  expect(Object.values(channels)).toEqual(Object.keys(channels).map(() => undefined))
  listen('lease')
  expect(Object.entries(channels).flatMap(([name, method]) => (method === undefined ? [] : [name]))).toEqual(
    ['onBegin', 'onLease'],
  )
  expect(SUBJECTS.filter((subject) => tracingChannel(`quorate:${subject}`).start.hasSubscribers)).toEqual(['lease'])
})
