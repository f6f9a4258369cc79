/** Changes of nodes: only of what was seen, and never of what is kept. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect } from 'quorate'
import type { Client } from 'quorate'
import { modelBackend } from 'quorate/testing'
import type { TreeNode } from '../../src/dashboard/api.ts'
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

  async function change(method: string, body: object): Promise<{ status: number; answer: Record<string, unknown> }> {
    const { status, text } = await ask(node, { method, headers: HEADERS, body: JSON.stringify(body) })
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
})
