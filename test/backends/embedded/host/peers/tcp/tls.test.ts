/** Servers that talk to each other by TLS, and those that may not. */
import { rmSync, mkdtempSync, writeFileSync, utimesSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest'
import type { PeerAddress } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-address.ts'
import type { PeerTls } from '../../../../../../src/backends/embedded/host/peers/tcp/peer-sockets.ts'
import { Certificates } from '../../../../../../src/backends/embedded/host/tls/certificates.ts'
import type { CertificatesEvent } from '../../../../../../src/backends/embedded/host/tls/tls-settings.ts'
import { KnownServers } from '../../../../../../src/backends/embedded/known-servers.ts'
import { readServers } from '../../../../../../src/backends/wire/configuration.ts'
import { authority } from '../../../../../support/certificates.ts'
import type { Issued } from '../../../../../support/certificates.ts'
import { Node, loopback, until, vote } from './tcp-rig.ts'

const ours = authority('ours')
const theirs = authority('theirs')
/** Failures after which the hand-shakes of an address take turns. */
const FREE_FAILURES = 10
const HOSTS = ['localhost', '127.0.0.1']
const good = ours.issue({ hosts: HOSTS })

let folder: string
let servers: ReadonlyMap<number, PeerAddress>
let nodes: Node[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-peer-tls-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})
afterEach(async () => {
  await Promise.all(nodes.map((node) => node.peers.close()))
  nodes = []
})

function fileOf(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function tlsOf({ keyStore }: Issued, trusted = ours, more: Partial<PeerTls> = {}): PeerTls {
  const name = String(nodes.length)
  const files = { keyStore: fileOf(`${name}-key`, keyStore), trustStore: fileOf(`${name}-ca`, trusted.certificate) }
  return {
    certificates: new Certificates(files, 'ssl.quorum', () => undefined),
    sslQuorum: true,
    portUnification: false,
    hostnameVerification: true,
    clientHostnameVerification: true,
    ...more,
  }
}

/** The next of two servers, the second of which leads. */
async function node(tls: PeerTls | null): Promise<Node> {
  if (nodes.length === 0) servers = await loopback(2, 'localhost')
  const made = new Node(nodes.length + 1, servers, { tls })
  nodes.push(made)
  await made.peers.listen()
  return made
}

/** Whether a link and votes come through in both directions. */
async function work(learner: Node, leader: Node): Promise<void> {
  await learner.linkTo(leader)
  leader.peers.sendVote(1, vote(1))
  learner.peers.sendVote(2, vote(2))
  await until(() => learner.rounds(2).includes(1) && leader.rounds(1).includes(2))
}

/** Dials and votes until there is something to tell. */
async function told(learner: Node, leader: Node): Promise<string[]> {
  learner.peers.sendVote(2, vote(2))
  const link = await learner.dial(2)
  link?.connection.send({ type: 'FOLLOWERINFO', acceptedEpoch: 0 })
  await until(() => learner.events.length + leader.events.length > 0)
  await until(() => link === null || link.isClosed)
  expect([leader.accepted.length, leader.votes.length]).toEqual([0, 0])
  return [learner, leader].flatMap(({ id, events }) => events.map((event) => `${id}: ${event.reason}`))
}

describe('servers with certificates', () => {
  it('talk to each other by TLS', async () => {
    await work(await node(tlsOf(good)), await node(tlsOf(good)))
    expect(nodes.flatMap(({ events }) => events)).toEqual([])
  })

  it.each([
    ['is of another authority', theirs.issue({ hosts: HOSTS }), 'of an authority that is not in the trust store'],
    ['has expired', ours.issue({ hosts: HOSTS, isExpired: true }), 'its certificate has expired'],
    [
      'is for another host', ours.issue({ hosts: ['other.example'] }),
      'its certificate is for DNS:other.example, and not for localhost',
    ],
  ])('refuse one whose certificate %s, when it dials and when it is dialled', async (_name, bad, reason) => {
    const [learner, leader] = [await node(tlsOf(bad)), await node(tlsOf(good))]
    const lines = await told(learner, leader)
    expect(lines.length).toBeLessThan(3)
    for (const line of lines) expect(line).toMatch(new RegExp(`^2: .*${reason}`))
    leader.events.splice(0)
    expect(await leader.dial(1)).toBeNull()
    expect(leader.events).toMatchObject([{ type: 'peer-untrusted', peer: 1 }])
    expect(leader.events[0]?.reason).toContain(reason)
    // However often: once is enough.
    expect(await leader.dial(1)).toBeNull()
    expect(leader.events).toHaveLength(1)
  })

  it('take one for another host if they are told not to look', async () => {
    const elsewhere = ours.issue({ hosts: ['other.example'] })
    const unchecked = { hostnameVerification: false }
    await work(await node(tlsOf(elsewhere, ours, unchecked)), await node(tlsOf(elsewhere, ours, unchecked)))
  })

  it('refuse who does not speak TLS, and say so of one that they dial', async () => {
    const [learner, leader] = [await node(null), await node(tlsOf(good))]
    expect((await told(learner, leader)).join()).toContain('2: it does not speak TLS')
    leader.events.splice(0)
    expect(await leader.dial(1)).toBeNull()
    expect(leader.events.map(({ reason }) => reason).join()).toMatch(/does it speak TLS|does not speak TLS/)
  })

  it('refuse who says nothing, in the time that it has', async () => {
    servers = await loopback(2)
    const leader = new Node(2, servers, { tls: tlsOf(good), connectTimeoutMs: 100 })
    nodes.push(leader)
    await leader.peers.listen()
    const plain = new Node(1, servers)
    nodes.push(plain)
    const link = await plain.dial(2)
    await until(() => link?.isClosed === true)
    expect(leader.events.map(({ reason }) => reason)).toEqual(['its TLS hand-shake is not done after 100 ms'])
  })
})

describe('a server that is named', () => {
  it('is let in beside strangers of its address whose hand-shakes fail, which take turns', async () => {
    const [learner, leader] = [await node(tlsOf(good)), await node(tlsOf(good))]
    const port = servers.get(2)?.peerPort ?? 0
    const fail = (): Promise<void> => new Promise((resolve) => {
      const socket = connect({ port, host: 'localhost' }, () => socket.write('GET / HTTP/1.0'))
      socket.on('error', () => undefined).on('close', () => {
        resolve()
      }).resume()
    })
    for (let i = 0; i < FREE_FAILURES; i++) await fail()
    expect(leader.peers.slowedHandshakes).toBe(0)
    await learner.linkTo(leader)
    expect(leader.peers.slowedHandshakes).toBe(1)
  })
})

describe('a server that joins', () => {
  it('is turned away until a configuration names it, and then unless its certificate is for that host', async () => {
    servers = await loopback(2, 'localhost')
    const line = (id: number, host = 'localhost'): string => {
      const { peerPort, electionPort } = servers.get(id) ?? { peerPort: 0, electionPort: 0 }
      return `server.${id}=${host}:${peerPort}:${electionPort}:participant`
    }
    const known = new KnownServers(2, readServers([line(2)]))
    const learner = new Node(1, servers, { tls: tlsOf(good) })
    nodes.push(learner)
    const leader = new Node(2, known.addresses, { tls: tlsOf(good) })
    nodes.push(leader)
    await Promise.all(nodes.map(({ peers }) => peers.listen()))
    expect((await told(learner, leader)).join()).toContain('server 1 is none of the others')
    leader.events.splice(0)
    known.reconfigured([line(1, 'other.example'), line(2), 'version=1'].join('\n'))
    expect((await told(learner, leader)).join()).toContain('it says that it is server 1, and its certificate is for')
    known.reconfigured([line(1), line(2), 'version=2'].join('\n'))
    await work(learner, leader)
  })
})

describe('a change from plain to TLS', () => {
  const both = { portUnification: true }
  it.each([
    ['plain', 'one that takes both', null, { ...both, sslQuorum: false }],
    ['two that take both', 'dial plain', { ...both, sslQuorum: false }, { ...both, sslQuorum: false }],
    ['one that dials plain', 'one that dials TLS', { ...both, sslQuorum: false }, both],
    ['one that takes both', 'one that takes TLS only', both, {}],
  ] as const)('works step by step: %s, %s', async (_one, _other, first, second) => {
    const learner = await node(first === null ? null : tlsOf(good, ours, first))
    await work(learner, await node(tlsOf(good, ours, second)))
    expect(nodes.flatMap(({ events }) => events)).toEqual([])
  })
})

describe('certificates that are replaced', () => {
  it('are used from the next connection on, and kept if the new ones cannot be used', () => {
    const files = { keyStore: fileOf('new-key', good.keyStore), trustStore: fileOf('new-ca', ours.certificate) }
    const events: CertificatesEvent[] = []
    const certificates = new Certificates(files, 'ssl.quorum', (event) => events.push(event))
    const replace = (text: string): void => {
      writeFileSync(files.keyStore, text)
      utimesSync(files.keyStore, 1, events.length)
    }
    const { now } = performance
    try {
      let addedMs = 0
      performance.now = () => now.call(performance) + addedMs
      const first = certificates.current()
      replace(good.keyStore.slice(0, -200))
      expect(certificates.current()).toEqual(first)
      addedMs = 2_000
      expect(certificates.current()).toEqual(first)
      expect(events).toMatchObject([{ type: 'certificates-kept', keys: 'ssl.quorum' }])
      replace(ours.issue({ hosts: HOSTS }).keyStore)
      addedMs = 4_000
      expect(certificates.current().version).toBe(2)
      expect(events.at(-1)).toMatchObject({ type: 'certificates-loaded', files: [files.keyStore, files.trustStore] })
    } finally {
      performance.now = now
    }
  })
})
