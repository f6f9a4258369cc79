import { describe, expect, it } from 'vitest'
import { etcd } from '../../../src/backends/etcd/index.ts'
import type { EtcdOptions } from '../../../src/backends/etcd/index.ts'

const open = { onError: (): void => undefined }

describe('the options of etcd()', () => {
  it('take endpoints as text with commas, as a list, or among the others', () => {
    const urls = ['http://a:1', 'https://b:2']
    for (const backend of [etcd(urls.join()), etcd(urls), etcd({ endpoints: urls }), etcd(urls, { prefix: '/p' })]) {
      expect(backend.name).toBe('etcd at a:1,b:2')
    }
    expect(etcd().name).toBe('etcd at 127.0.0.1:2379')
  })

  it('are refused with the value in the message', () => {
    const wrong: readonly (readonly [EtcdOptions, RegExp])[] = [
      [{ endpoints: 'localhost:2379' }, /got "localhost:2379"/],
      [{ endpoints: 'ftp://a' }, /got "ftp:/],
      [{ endpoints: [] }, /got 0/],
      [{ prefix: '/p/' }, /got "\/p\/"/],
      [{ prefix: '' }, /got ""/],
      [{ sessionTimeoutMs: 0 }, /sessionTimeoutMs.*: 0/],
      [{ requestTimeoutMs: Number.NaN }, /requestTimeoutMs.*NaN/],
      [{ user: '' }, /user/],
    ]
    for (const [options, message] of wrong) expect(() => etcd(options)).toThrow(message)
    const unknown = { endpoint: 'http://a' } as EtcdOptions
    expect(() => etcd(unknown)).toThrow(/no option .*endpoint.*endpoints/)
    expect(() => etcd({ tls: { cafile: 'x' } } as EtcdOptions)).toThrow(/tls of etcd\(\) has no option/)
  })

  it('say what is wanted where no address was given', () => {
    for (const nothing of [undefined, null, 2379, () => 'http://a']) {
      expect(() => etcd(nothing as never)).toThrow(TypeError)
      expect(() => etcd(nothing as never)).toThrow(/http:\/\/127\.0\.0\.1:2379/)
    }
    expect(() => etcd([undefined] as never)).toThrow(/got undefined/)
  })

  it('name members of which none serves: then nothing was sent', async () => {
    const attempt = etcd('http://127.0.0.1:1,http://127.0.0.1:2').open(open)
    await expect(attempt).rejects.toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'not-sent' })
    await expect(etcd('http://127.0.0.1:1').open(open)).rejects.toThrow(/none of 1 members.*ECONNREFUSED/)
  })
})
