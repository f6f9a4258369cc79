/** Sessions of the model backend for one test. */
import { onTestFinished } from 'vitest'
import type { Session } from '../../src/core/backend.ts'
import type { ModelBackend } from '../../src/testing/index.ts'

/** Opens a session, which is closed when the test is over; an error that has no caller fails the test. */
export async function openSession(backend: ModelBackend): Promise<Session> {
  const session = await backend.open({ onError: fail })
  onTestFinished(() => session.close())
  return session
}

function fail(error: unknown): never {
  throw error
}
