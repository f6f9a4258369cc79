/** Changes of nodes: only of what was seen, and never of what is kept. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigCenter, connect } from 'quorate'
import type { Client } from 'quorate'
import { modelBackend } from 'quorate/testing'
import type { ConfigDetail, TreeNode } from '../../src/dashboard/api.ts'
import { HttpRig, ask } from './rig.ts'

const TOKEN = 'a-token-of-the-test'
const AUTHORIZATION = { authorization: `Bearer ${TOKEN}` }
const HEADERS = { ...AUTHORIZATION, 'content-type': 'application/json', 'x-quorate-dashboard': '1' }

describe('a change', () => {
  const rig = new HttpRig()
  let client: Client
  let node: string

  beforeEach(async () => {
    client = await connect(modelBackend())
    node = `${await rig.dashboard({ client, token: TOKEN, readOnly: false })}api/v1/node`
  })

  afterEach(async () => {
    await rig.close()
    await client.close()
  })

  async function change(method: string, body: object, name = 'node'): Promise<{
    status: number
    answer: Record<string, unknown>
  }> {
    const sent = { method, headers: HEADERS, body: JSON.stringify(body) }
    const { status, text } = await ask(node.replace(/node$/, name), sent)
    return { status, answer: JSON.parse(text) as Record<string, unknown> }
  }

  async function seen(path: string): Promise<{ version: number; mzxid: string }> {
    const { text } = await ask(`${node}?path=${path}`, { headers: AUTHORIZATION })
    const { stat } = (JSON.parse(text) as { data: TreeNode }).data
    return { version: stat.version, mzxid: stat.mzxid }
  }

  const dataOf = async (path: string): Promise<string> => new TextDecoder().decode((await client.get(path)).data)

  it('makes, writes and deletes a node', async () => {
    expect(await change('POST', { path: '/a', data: 'one', encoding: 'utf8' })).toMatchObject({ status: 200 })
    const written = await change('PUT', { path: '/a', data: 'dHdv', encoding: 'base64', seen: await seen('/a') })
    expect(written).toMatchObject({ status: 200, answer: { path: '/a', version: 1 } })
    expect(await dataOf('/a')).toBe('two')
    expect((await change('DELETE', { path: '/a', seen: await seen('/a') })).status).toBe(200)
    expect(await client.exists('/a')).toBeNull()
  })

  it('is refused if somebody else was quicker, with the version that is there', async () => {
    await client.create('/a', 'mine')
    const before = await seen('/a')
    await client.set('/a', 'theirs')
    const late = await change('PUT', { path: '/a', data: 'late', encoding: 'utf8', seen: before })
    const error = { code: 'BAD_VERSION', outcome: 'rejected', version: 1 }
    expect(late).toMatchObject({ status: 409, answer: { error } })
    expect(await dataOf('/a')).toBe('theirs')
  })

  it('is refused for a node that was deleted and made again, whose version is the same', async () => {
    await client.create('/a', 'old')
    const before = await seen('/a')
    await client.delete('/a')
    await client.create('/a', 'new')
    for (const method of ['PUT', 'DELETE']) {
      expect((await change(method, { path: '/a', data: '', encoding: 'utf8', seen: before })).status).toBe(409)
    }
    expect(await dataOf('/a')).toBe('new')
  })

  it.each([
    ['PUT', { path: '/a', data: '', encoding: 'utf8' }, 428],
    ['PUT', { path: '/', data: '', encoding: 'utf8' }, 403],
    ['DELETE', { path: '/zookeeper/quota' }, 403],
    ['POST', { path: 'a', data: '', encoding: 'utf8' }, 400],
    ['POST', { path: '/b', data: 1, encoding: 'utf8' }, 400],
    ['POST', { path: '/b', data: '%', encoding: 'base64' }, 400],
    ['POST', { path: '/b', data: '', encoding: 'utf8', mode: 'ephemeral' }, 400],
    ['POST', { path: '/b/c', data: '', encoding: 'utf8' }, 404],
    ['PATCH', { path: '/b' }, 405],
  ])('%s of %j is answered with %s', async (method, body, status) => {
    expect((await change(method, body)).status).toBe(status)
    expect(await client.exists('/b')).toBeNull()
  })

  it('does not delete a node that has children', async () => {
    await client.create('/a')
    await client.create('/a/b')
    expect((await change('DELETE', { path: '/a', seen: await seen('/a') })).status).toBe(409)
  })

  describe('of a configuration', () => {
    let config: ConfigCenter<object>

    beforeEach(async () => {
      config = new ConfigCenter<object>(client, '/config/discount', { history: { author: 'anna', entriesMax: 200 } })
      await config.publish({ percent: 10 }, { comment: 'black week' })
      await config.publish({ percent: 15 })
    })

    const rollBack = (body: object): ReturnType<typeof change> => {
      return change('POST', { path: '/config/discount', ...body }, 'rollback')
    }
    const detail = async (): Promise<ConfigDetail> => {
      const { text } = await ask(node.replace(/node$/, 'release?path=/config/discount'), { headers: AUTHORIZATION })
      return (JSON.parse(text) as { data: ConfigDetail }).data
    }

    it('writes an older value again, byte for byte, as a new entry that says who and why', async () => {
      const { version, mzxid } = await detail()
      const seen = { version, mzxid }
      const done = await rollBack({ version: 1, seen, author: 'bob', comment: 'too many orders' })
      expect(done).toMatchObject({ status: 200, answer: { path: '/config/discount', version: 2 } })
      const { value, history } = await detail()
      expect(value).toBe('{"percent":10}')
      expect(history[0]).toMatchObject({ kind: 'rollback', of: 1, by: 'bob', note: 'too many orders', isInForce: true })
      expect(await config.get()).toEqual({ percent: 10 })
    })

    it('is refused where somebody else was quicker, or the version is not kept, or a value is staged', async () => {
      const { version, mzxid } = await detail()
      await config.publish({ percent: 20 })
      expect(await rollBack({ version: 1, seen: { version, mzxid } })).toMatchObject({ status: 409 })
      const seen = await detail().then((now) => ({ version: now.version, mzxid: now.mzxid }))
      expect(await rollBack({ version: 9, seen })).toMatchObject({ status: 404 })
      expect(await rollBack({ version: 0, seen })).toMatchObject({ status: 400 })
      expect(await rollBack({ version: 1 })).toMatchObject({ status: 428 })
      expect(await rollBack({ version: 1, seen, author: 7 })).toMatchObject({ status: 400 })
      await config.publish({ percent: 25 }, { rollout: { members: ['a'] } })
      const late = await detail().then((now) => ({ version: now.version, mzxid: now.mzxid }))
      const staged = await rollBack({ version: 1, seen: late })
      expect(staged).toMatchObject({ status: 409, answer: { error: { code: 'VALUE_STAGED' } } })
      expect((await detail()).value).toBe('{"percent":20}')
    })

    it('removes nothing of a history that others keep', async () => {
      for (let percent = 0; percent < 120; percent++) await config.publish({ percent })
      const { version, mzxid } = await detail()
      expect((await rollBack({ version: 2, seen: { version, mzxid } })).status).toBe(200)
      expect(await config.history()).toHaveLength(123)
    })
  })
})
