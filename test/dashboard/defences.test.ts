/** Requests that no honest page sends: the dashboard's refusals, and its headers for browsers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connect } from 'quorate'
import type { Client } from 'quorate'
import { createDashboard } from 'quorate/dashboard'
import { modelBackend } from 'quorate/testing'
import type { DashboardOptions } from '../../src/dashboard/options.ts'
import { STREAMS_MAX } from '../../src/dashboard/streams.ts'
import { HttpRig, ask } from './rig.ts'

const TOKEN = 'a-token-of-the-test'
const CHANGE = {
  authorization: `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  'x-quorate-dashboard': '1',
}

describe('the dashboard', () => {
  const rig = new HttpRig()
  let client: Client

  beforeEach(async () => {
    client = await connect(modelBackend())
  })

  afterEach(async () => {
    await rig.close()
    await client.close()
  })

  const open = (options: Omit<DashboardOptions, 'client'> = {}): Promise<string> => {
    return rig.dashboard({ client, ...options })
  }
  const codeOf = (text: string): string => (JSON.parse(text) as { error: { code: string } }).error.code

  it('says to browsers on every answer that nothing inline runs, and that no page may frame it', async () => {
    const url = await open()
    for (const path of ['', 'api/v1/meta', 'api/v1/nothing', 'nothing']) {
      const { headers } = await ask(url + path)
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'; script-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*|https?:/)
      expect(headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' })
      expect(headers['cache-control']).toBe('no-store')
      expect(headers['access-control-allow-origin']).toBeUndefined()
    }
  })

  it.each([
    ['evil.example', 403],
    ['localhost.evil.example:80', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost:1', 200],
    ['[::1]:1', 200],
    ['10.0.0.1', 200],
    ['OPS.example.com:443', 200],
  ])('answers a request for the host %j with %i', async (host, status) => {
    const url = await open({ hosts: ['ops.example.com'] })
    expect((await ask(`${url}api/v1/meta`, { headers: { host } })).status).toBe(status)
  })

  it.each([
    { origin: 'http://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('does not answer what a browser sends for another page: %j', async (headers) => {
    const { status, text } = await ask(`${await open()}api/v1/meta`, { headers })
    expect([status, codeOf(text)]).toEqual([403, 'ORIGIN_REFUSED'])
  })

  it('answers its own page', async () => {
    const url = await open()
    const headers = { origin: url.slice(0, -1), 'sec-fetch-site': 'same-origin' }
    expect((await ask(`${url}api/v1/meta`, { headers })).status).toBe(200)
  })

  it('needs the token for every read, if it has one, and for no file of the page', async () => {
    const url = await open({ token: TOKEN })
    for (const authorization of [undefined, 'Bearer wrong', `Bearer ${TOKEN}x`, TOKEN]) {
      const headers = authorization === undefined ? {} : { authorization }
      const { status, text } = await ask(`${url}api/v1/meta`, { headers })
      expect([status, codeOf(text)]).toEqual([401, 'NOT_SIGNED_IN'])
    }
    expect((await ask(`${url}api/v1/stream?topic=meta`)).status).toBe(401)
    expect((await ask(`${url}api/v1/meta`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
  })

  it('asks authorize, with what is to be done, and refuses what it throws at', async () => {
    const asked: string[] = []
    const url = await open({
      readOnly: false,
      authorize: (_request, action) => {
        asked.push(action)
        if (asked.length > 2) throw new Error('the directory is down')
        return action === 'read'
      },
    })
    expect((await ask(`${url}api/v1/meta`)).status).toBe(200)
    const body = JSON.stringify({ path: '/a', data: '', encoding: 'utf8' })
    expect((await ask(`${url}api/v1/node`, { method: 'POST', headers: CHANGE, body })).status).toBe(403)
    expect((await ask(`${url}api/v1/meta`)).status).toBe(500)
    expect(asked).toEqual(['read', 'write', 'read'])
    expect(await client.exists('/a')).toBeNull()
  })

  it('changes nothing by default, nor without the header that no form can send', async () => {
    const body = JSON.stringify({ path: '/a', data: '', encoding: 'utf8' })
    const off = await ask(`${await open({ token: TOKEN })}api/v1/node`, { method: 'POST', headers: CHANGE, body })
    expect([off.status, codeOf(off.text)]).toEqual([403, 'CHANGES_OFF'])
    const on = await open({ token: TOKEN, readOnly: false })
    const { 'x-quorate-dashboard': _ours, ...forged } = CHANGE
    expect((await ask(`${on}api/v1/node`, { method: 'POST', headers: forged, body })).status).toBe(403)
    const form = { ...CHANGE, 'content-type': 'text/plain' }
    expect((await ask(`${on}api/v1/node`, { method: 'POST', headers: form, body })).status).toBe(415)
    expect(await client.exists('/a')).toBeNull()
  })

  it('has bounds on what is sent, and on how many look', async () => {
    const url = await open({ token: TOKEN, readOnly: false })
    const body = JSON.stringify({ path: '/a', data: 'x'.repeat(3_000_000), encoding: 'utf8' })
    const reply = await ask(`${url}api/v1/node`, { method: 'POST', headers: CHANGE, body }).catch(() => null)
    expect(reply?.status ?? 413).toBe(413)
    const topics = Array.from({ length: 41 }, (_, index) => `topic=node?path=/${index}`).join('&')
    const headers = { authorization: `Bearer ${TOKEN}` }
    expect((await ask(`${url}api/v1/stream?${topics}`, { headers })).status).toBe(400)
    const streams = Array.from({ length: STREAMS_MAX }, () => fetch(`${url}api/v1/stream?topic=meta`, { headers }))
    await Promise.all(streams)
    expect((await ask(`${url}api/v1/stream?topic=meta`, { headers })).status).toBe(429)
  })

  it('does not leave its mount, and is found there without a slash', async () => {
    const url = await open({ basePath: '/ops/quorate' })
    expect((await ask(`${url}api/v1/meta`)).status).toBe(404)
    expect((await ask(`${url}ops/quorate/api/v1/meta`)).status).toBe(200)
    const { status, headers } = await ask(`${url}ops/quorate`)
    expect([status, headers.location]).toEqual([308, './quorate/'])
    expect((await ask(`${url}ops/quorate/../../etc/passwd`)).status).toBe(404)
  })

  it('says that its page is not built', async () => {
    const { status, text } = await ask(await open())
    expect([status, codeOf(text)]).toEqual([500, 'NOT_BUILT'])
  })
})

describe('createDashboard', () => {
  const backend = modelBackend()

  it.each([
    [{}, 'createDashboard needs either client or connect, got neither'],
    [{ connect: backend, port: 1 }, 'createDashboard has no option "port"'],
    [{ connect: backend, readOnly: false }, 'readOnly: false needs token or authorize'],
    [{ connect: backend, token: 'short' }, 'token must be 8 or more characters'],
    [{ connect: backend, basePath: 'a/' }, 'basePath must be such as /quorate'],
    [{ connect: backend, hosts: ['a:1'] }, 'hosts must hold names without a port'],
    [{ connect: backend, servers: ['a'] }, 'a server must be host:port'],
    [{ connect: backend, roots: { locks: ['a'] } }, "roots.locks must be a node's path"],
    [{ connect: backend, pollMs: 1 }, 'pollMs must be a whole number from 20 to 60000'],
  ])('refuses %j', (options, message) => {
    expect(() => createDashboard(options as DashboardOptions)).toThrow(message)
  })

  it('does not show a token that is wrong', () => {
    const wrong = { connect: backend, token: 'a b c d e f' }
    expect(() => createDashboard(wrong)).toThrow(/^(?!.*a b c)/)
  })
})
