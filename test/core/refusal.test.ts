import { describe, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import { CoordinationError, ERROR_CODES } from '../../src/core/errors.ts'
import { asSeenFrom, refusal } from '../../src/core/refusal.ts'
import { modelBackend } from '../../src/testing/index.ts'

const messageOf = async (call: Promise<unknown>): Promise<string> => {
  const error: unknown = await call.catch((thrown: unknown) => thrown)
  return error instanceof CoordinationError ? error.message : `not refused: ${String(error)}`
}

describe('a refusal', () => {
  it('says the same of every code with and without a namespace: where, and never a path of the servers', () => {
    for (const code of ERROR_CODES) {
      for (const isCreate of [false, true]) {
        const error = refusal(code, '/app/a/b', { isCreate, index: 1 })
        const seen = asSeenFrom(error, '/a/b')
        expect(seen).toMatchObject({ code, path: '/a/b', index: 1, outcome: 'rejected' })
        expect(seen.message).toBe(refusal(code, '/a/b', { isCreate, index: 1 }).message)
        expect(seen.message).not.toContain('/app')
        expect(asSeenFrom(seen, '/b').message).toBe(refusal(code, '/b', { isCreate, index: 1 }).message)
      }
    }
  })

  it('keeps the cause and the very error if its path is right already', () => {
    const cause = new Error('the words of an engine')
    const error = refusal('SYSTEM_ERROR', '/a', { cause })
    expect(asSeenFrom(error, '/a')).toBe(error)
    expect(asSeenFrom(error, '/b').cause).toBe(cause)
  })

  it('of another maker has its path replaced in its message', () => {
    const where = { outcome: 'rejected', path: '/app/$&' } as const
    const foreign = new CoordinationError('BAD_VERSION', '/app/$& has changed', where)
    expect(asSeenFrom(foreign, '/$&')).toMatchObject({ message: '/$& has changed', path: '/$&' })
  })
})

describe('a refusal that reaches a client', () => {
  it('names the path that its caller wrote, and the parent if that is what is missing', async () => {
    await using client = await connect(modelBackend(), { namespace: '/app' })
    await client.create('/e', '', { mode: 'ephemeral' })
    await client.create('/p')
    await client.create('/p/c')
    expect(await messageOf(client.get('/a/b'))).toBe('there is no node /a/b')
    expect(await messageOf(client.create('/a/b'))).toBe(
      'cannot create /a/b: its parent /a does not exist; makePath makes it',
    )
    expect(await messageOf(client.create('/p'))).toBe('there is a node at /p already')
    expect(await messageOf(client.delete('/p'))).toBe('the node at /p has children: delete them first')
    expect(await messageOf(client.set('/p', '', { version: 7 }))).toMatch(/^the node at \/p is not of the version/)
    expect(await messageOf(client.create('/e/x'))).toMatch(/^cannot create \/e\/x: its parent \/e is ephemeral/)
    const operations = [
      { type: 'check', path: '/p', version: 0 },
      { type: 'delete', path: '/q', version: -1 },
    ] as const
    const multi = await messageOf(client.multi(operations))
    expect(multi).toBe('there is no node /q (operation 1 of a multi, counted from 0)')
  })

  it('says that the namespace is what is missing', async () => {
    const backend = modelBackend()
    await using operator = await connect(backend)
    await using client = await connect(backend, { namespace: '/app' })
    await operator.delete('/app')
    expect(await messageOf(client.create('/a'))).toMatch(/^cannot create \/a: the node that .* was deleted$/)
    expect(await messageOf(client.get('/'))).toMatch(/^there is no node \/: the node that .* was deleted$/)
  })
})
