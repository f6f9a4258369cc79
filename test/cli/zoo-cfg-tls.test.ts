/** TLS in ZooKeeper's configuration file. */
import { describe, expect, it } from 'vitest'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'
import type { ZooCfg } from '../../src/cli/zoo-cfg.ts'

const MEMBERS = 'server.1=a:1:2\nserver.2=b:1:2'
const KEY = 'ssl.quorum.keyStore.location=/k.pem'
const NO_PASSWORD = 'ssl.quorum.keyStore.passwordPath=/none'
const STORES = 'ssl.quorum.keyStore.location=/k.pem\nssl.quorum.trustStore.location=/t.pem'

function read(...lines: readonly string[]): ZooCfg {
  return readZooCfg([MEMBERS, ...lines].join('\n'), 'zoo.cfg')
}

describe('TLS between servers', () => {
  it('is not there unless it is asked for', () => {
    expect(read().peerTls).toBeUndefined()
    expect(read('sslQuorum=false', STORES).peerTls).toBeUndefined()
  })

  it('has its files and checks', () => {
    const secret = ['ssl.quorum.keyStore.password=hush', 'ssl.quorum.enabledProtocols=TLSv1.3']
    expect(read('sslQuorum=true', STORES, ...secret)).toMatchObject({
      peerTls: {
        keyStore: '/k.pem',
        keyStorePassword: 'hush',
        trustStore: '/t.pem',
        minVersion: 'TLSv1.3',
        sslQuorum: true,
        portUnification: false,
        hostnameVerification: true,
        clientHostnameVerification: true,
      },
      notices: [],
    })
    const unchecked = read('portUnification=true', STORES, 'ssl.quorum.hostnameVerification=false').peerTls
    expect(unchecked).toMatchObject({
      minVersion: 'TLSv1.2',
      sslQuorum: false,
      portUnification: true,
      hostnameVerification: false,
      clientHostnameVerification: false,
    })
  })

  it.each([
    [['sslQuorum=true'], 'zoo.cfg: TLS needs ssl.quorum.keyStore.location'],
    [['portUnification=true', KEY], 'portUnification needs ssl.quorum.trustStore.location'],
    [['ssl.quorum.keyStore.type=JKS'], 'zoo.cfg:3: ssl.quorum.keyStore.type must be PEM or PKCS12'],
    [['ssl.quorum.protocol=TLSv1.1'], 'ssl.quorum.protocol must be of TLSv1.2 and TLSv1.3'],
    [['sslQuorum=true', STORES, NO_PASSWORD], 'cannot read the password of a key store from /none'],
  ])('is refused for %j', (lines, message) => {
    expect(() => read(...lines)).toThrow(message)
  })

  it('says what has no effect', () => {
    const { notices } = read('sslQuorum=true', STORES, 'sslQuorumReloadCertFiles=true')
    expect(notices).toEqual(['zoo.cfg: without effect on this server: sslQuorumReloadCertFiles (line 6)'])
  })
})

describe('TLS for clients', () => {
  const stores = 'ssl.keyStore.location=/k.p12\nssl.trustStore.location=/t.pem'
  it('has its port, its files and its superuser', () => {
    const more = ['ssl.clientAuth=WANT', 'X509AuthenticationProvider.superUser=CN=admin']
    const cfg = readZooCfg(['secureClientPort=2281', stores, ...more].join('\n'), 'zoo.cfg')
    expect(cfg).toMatchObject({ secureClientPort: 2281, clientPort: undefined, notices: [] })
    const clientTls = { keyStore: '/k.p12', trustStore: '/t.pem', clientAuth: 'want', superUser: 'CN=admin' }
    expect(cfg.clientTls).toMatchObject({ ...clientTls, portUnification: false })
    expect(readZooCfg(`client.portUnification=true\n${stores}`, 'zoo.cfg').clientTls).toMatchObject({
      clientAuth: 'need',
      portUnification: true,
    })
  })

  it.each([
    ['secureClientPort=2281', 'zoo.cfg: TLS needs ssl.keyStore.location'],
    ['secureClientPort=2281\nssl.keyStore.location=/k', 'ssl.trustStore.location, or ssl.clientAuth=none'],
    ['ssl.clientAuth=maybe', 'zoo.cfg:1: ssl.clientAuth must be need, want or none'],
    ['secureClientPort=70000', 'zoo.cfg:1: secureClientPort must be a port from 0 to 65535'],
  ])('is refused for %s', (text, message) => {
    expect(() => readZooCfg(text, 'zoo.cfg')).toThrow(message)
  })
})
