import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { MemberOptions } from '../../src/backends/embedded/index.ts'
import { exposuresAfter, exposuresOf, refusalOf } from '../../src/cli/exposure.ts'
import { authority } from '../support/certificates.ts'

const CLIENTS = 'clients on other machines are served without TLS on'
const PEERS = 'whoever reaches the ports for other servers, 2888 and 3888 of'
const folder = mkdtempSync(join(tmpdir(), 'quorate-exposure-'))
const ca = authority('test')
const keyStore = join(folder, 'own.pem')
const trustStore = join(folder, 'authority.pem')
writeFileSync(keyStore, ca.issue().keyStore)
writeFileSync(trustStore, ca.certificate)

afterAll(() => rmSync(folder, { recursive: true }))

describe('what other machines reach without TLS, of a server alone', () => {
  it.each([
    [{ clientPorts: [2181] }, []],
    [{ clientPorts: [2181], clientPortAddress: 'localhost' }, []],
    [{ clientPorts: [2181], clientPortAddress: '::1' }, []],
    [{ clientPorts: [2181], clientPortAddress: '0.0.0.0' }, [`${CLIENTS} 0.0.0.0:2181`]],
    [{ clientPorts: [0], clientPortAddress: '::' }, [`${CLIENTS} [::]:0`]],
    [{ clientPorts: [2181], clientPortAddress: 'zoo-1' }, [`${CLIENTS} zoo-1:2181`]],
    [{ clientPorts: [], clientPortAddress: '0.0.0.0' }, []],
    [{ clientPorts: [1], adminPorts: [8080] }, []],
    [
      { clientPorts: [1], adminPorts: [8080], adminAddress: '0.0.0.0' },
      ['the AdminServer tells whoever reaches 0.0.0.0:8080'],
    ],
  ])('%j', (options, exposures) => {
    expect(exposuresOf({ servers: 1, ...options })).toEqual(exposures)
  })

  it('are its plain ports, beside one that speaks TLS', () => {
    const tls = { clientTls: { keyStore, trustStore }, secureClientPorts: [2281], clientPortAddress: '0.0.0.0' }
    expect(exposuresOf({ servers: 1, ...tls })).toEqual([])
    expect(exposuresOf({ servers: 1, ...tls, clientPorts: [2181] })).toEqual([`${CLIENTS} 0.0.0.0:2181`])
  })
})

describe('what other machines reach without TLS, of a server of several', () => {
  function exposuresWith(line: string, more: Partial<MemberOptions> = {}): string[] {
    return exposuresOf({ myid: 1, servers: { 1: line, 2: 'b:2888:3888', 3: 'c:2888:3888' }, ...more })
  }

  it.each([
    ['127.0.0.1:2888:3888;2181', {}, []],
    ['a:2888:3888', {}, [`${PEERS} a, is believed`]],
    ['a:2888:3888;127.0.0.1:2181', {}, [`${PEERS} a, is believed`]],
    ['a:2888:3888;2181', {}, [`${CLIENTS} a:2181`, `${PEERS} a, is believed`]],
    ['127.0.0.1:2888:3888;2181', { clientPortAddress: '0.0.0.0' }, [`${CLIENTS} 0.0.0.0:2181`]],
    ['127.0.0.1:2888:3888', { peerListenHost: '0.0.0.0' }, [`${PEERS} 0.0.0.0, is believed`]],
  ] as const)('%s with %j', (line, more, exposures) => {
    expect(exposuresWith(line, more)).toEqual(exposures)
  })

  it('are its ports for other servers, unless these take TLS alone', () => {
    const tls = { keyStore, trustStore }
    expect(exposuresWith('a:2888:3888', { peerTls: { ...tls, sslQuorum: true } })).toEqual([])
    for (const more of [{ sslQuorum: true, portUnification: true }, { portUnification: true }]) {
      expect(exposuresWith('a:2888:3888', { peerTls: { ...tls, ...more } })).toHaveLength(1)
    }
  })
})

describe('a refusal', () => {
  it('names all of it, and the ways out', () => {
    const way = 'Serve on loopback (clientPortAddress=127.0.0.1) or by TLS (secureClientPort, sslQuorum), '
    const word = 'or say --insecure, or quorate.insecure=true in the configuration, if only your own machines reach it'
    expect(refusalOf(['one', 'two'])).toBe(`it does not start like this: one; two. ${way}${word}`)
  })
})

describe('a configuration that comes into force while the server runs', () => {
  const line = (own: string): string => `server.1=${own}\nserver.2=127.0.0.1:2889:3889:participant\nversion=100000001\n`
  const options = {
    myid: 1,
    servers: { 1: '127.0.0.1:2888:3888;127.0.0.1:2181', 2: '127.0.0.1:2889:3889' },
  }

  it.each([
    ['127.0.0.1:2888:3888:participant;127.0.0.1:2181', []],
    ['127.0.0.1:2888:3888:observer;10.0.0.1:2181', [`${CLIENTS} 10.0.0.1:2181`]],
    ['10.0.0.1:2888:3888:participant;10.0.0.1:2181', [
      `${CLIENTS} 10.0.0.1:2181`, `${PEERS} 10.0.0.1, is believed`,
    ]],
  ])('exposes what the next start would be refused for: %s', (own, exposures) => {
    expect(exposuresAfter(line(own), options)).toEqual(exposures)
  })

  it('exposes nothing that the server was started with, and nothing where it is no member any more', () => {
    const exposed = { ...options, servers: { ...options.servers, 1: '127.0.0.1:2888:3888;10.0.0.1:2181' } }
    expect(exposuresAfter(line('127.0.0.1:2888:3888;10.0.0.1:2181'), exposed)).toEqual([])
    expect(exposuresAfter('server.2=127.0.0.1:2889:3889;10.0.0.1:2181\n', options)).toEqual([])
  })
})
