/** The keys of SASL in ZooKeeper's configuration file. */
import { describe, expect, it } from 'vitest'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'
import { FILE, refusalOf } from './zoo-cfg-refusal.ts'

describe('zoo.cfg', () => {
  it('names files of users, and who of them is a superuser', () => {
    const { sasl, requiredSchemes, notices } = readZooCfg(`quorate.sasl.jaasFile=/etc/jaas.conf
quorate.sasl.verifierFile=/etc/users
sasl.serverconfig=Zk
superUser=root
superUser.2=admin
allowSaslFailedClients=true
authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
jaasLoginRenew=3600000
`, FILE)
    expect(sasl).toEqual({
      jaasFile: '/etc/jaas.conf',
      verifierFile: '/etc/users',
      jaasSection: 'Zk',
      superUsers: ['root', 'admin'],
      allowFailedClients: true,
    })
    expect(requiredSchemes).toBeUndefined()
    const idle = 'authProvider.1 (line 7), jaasLoginRenew (line 8)'
    expect(notices).toEqual([`conf/zoo.cfg: without effect on this server: ${idle}`])
  })

  it.each([
    ['', undefined],
    ['sessionRequireClientSASLAuth=true', ['sasl']],
    ['sessionRequireClientSASLAuth=false', undefined],
    ['requireClientAuthScheme=sasl', ['sasl']],
    ['enforce.auth.schemes=sasl,x509', undefined],
    ['enforce.auth.enabled=true\nenforce.auth.schemes=sasl, x509', ['sasl', 'x509']],
    ['enforce.auth.enabled=true\nenforce.auth.schemes=digest\nsessionRequireClientSASLAuth=true', ['sasl']],
  ])('with %j requires %j of clients', (text, schemes) => {
    expect(readZooCfg(`clientPort=1\n${text}`, FILE).requiredSchemes).toEqual(schemes)
  })

  it.each([
    ['enforce.auth.enabled=true', /enforce.auth.enabled needs enforce.auth.schemes/],
    ['enforce.auth.schemes=world', /:1: enforce.auth.schemes must be of digest, ip, sasl, x509/],
    ['requireClientAuthScheme=digest', /:1: requireClientAuthScheme must be sasl/],
    ['sessionRequireClientSASLAuth=yes', /:1: sessionRequireClientSASLAuth must be true or false/],
    ['authProvider.1=com.example.Own', /:1: authProvider.1 must be a provider of ZooKeeper itself/],
    ['letAnySaslUserDoX=ann', /:1: letAnySaslUserDoX: a user of SASL has what lists give to it/],
    ['SASLAuthenticationProvider.superPassword=hush', /superPassword: give the user super a line .* remove this line$/],
  ])('is refused with %s', (line, message) => {
    expect(refusalOf(line)).toMatch(message)
    expect(refusalOf(line)).not.toMatch(/hush/)
  })
})
