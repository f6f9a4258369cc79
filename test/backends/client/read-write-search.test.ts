import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ClientIdentity } from '../../../src/backends/client/identity.ts'
import { ReadWriteSearch } from '../../../src/backends/client/read-write-search.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** A dialer whose servers answer what they are told, and a search over them. */
function searchOver(answers: readonly boolean[]) {
  let asked = 0
  let found = 0
  const dialer = {
    serverCount: answers.length,
    dial: () => expect.fail('nobody is dialled'),
    findReadWrite: () => {
      asked += 1
      return Promise.resolve(answers[(asked - 1) % answers.length] ?? false)
    },
  }
  const search = new ReadWriteSearch(dialer, () => (found += 1))
  return { search, asked: () => asked, found: () => found }
}

it('asks one server after the other, with pauses that double, until one has a majority', async () => {
  const { search, asked, found } = searchOver([false, false, false, true])
  search.start()
  for (const [pauseMs, times] of [[100, 1], [200, 2], [400, 3]] as const) {
    await vi.advanceTimersByTimeAsync(pauseMs - 1)
    expect(asked()).toBe(times - 1)
    await vi.advanceTimersByTimeAsync(1)
    expect(asked()).toBe(times)
  }
  expect(found()).toBe(0)
  await vi.advanceTimersByTimeAsync(800)
  expect([asked(), found()]).toEqual([4, 1])
  expect(vi.getTimerCount()).toBe(0)
})

it('ends at once, also while a server is being asked', async () => {
  const { search, asked, found } = searchOver([true])
  search.start()
  search.stop()
  expect(vi.getTimerCount()).toBe(0)
  search.start()
  vi.advanceTimersByTime(100)
  search.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect([asked(), found()]).toEqual([1, 0])
})

it('begins a session again behind a read-only server, and resumes it once another one knows it', () => {
  const identity = new ClientIdentity(6_000)
  const passwd = new Uint8Array(16).fill(1)
  const answer = { protocolVersion: 0, timeOut: 4_000, sessionId: 5n, passwd, readOnly: true }
  identity.accept(answer)
  identity.saw(9n)
  expect(identity.connectRequest(true)).toMatchObject({ sessionId: 0n, passwd: new Uint8Array(16), lastZxidSeen: 9n })
  expect(identity.oddityOf({ ...answer, sessionId: 6n })).toBeNull()
  identity.accept({ ...answer, sessionId: 6n, readOnly: false })
  expect(identity.connectRequest(true)).toMatchObject({ sessionId: 6n, passwd, timeOut: 4_000 })
  expect(identity.oddityOf(answer)).toBe('it attached another session')
  // A session of its own is not given up on a read-only server.
  identity.accept({ ...answer, sessionId: 6n })
  expect(identity.connectRequest(true)).toMatchObject({ sessionId: 6n })
})
