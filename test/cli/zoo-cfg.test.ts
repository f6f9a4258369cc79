/** ZooKeeper's configuration file: what is taken from it, what is said about it, and what is refused. */
import { describe, expect, it } from 'vitest'
import { LIMITS, LIMIT_KEYS } from '../../src/backends/embedded/host/limits.ts'
import { Failure } from '../../src/cli/exit-status.ts'
import { readProperties } from '../../src/cli/java-properties.ts'
import { readZooCfg } from '../../src/cli/zoo-cfg.ts'
import { FILE, refusalOf } from './zoo-cfg-refusal.ts'

function noticesOf(text: string): readonly string[] {
  return readZooCfg(text, FILE).notices
}

describe('a properties file', () => {
  it('separates keys and values by =, by a colon or by white space', () => {
    const entries = readProperties('a=1\nb: 2\n  c 3\n\td\t=\t4\ne\nf = g = h\n')
    expect(entries.map(({ key, value }) => [key, value])).toEqual([
      ['a', '1'], ['b', '2'], ['c', '3'], ['d', '4'], ['e', ''], ['f', 'g = h'],
    ])
  })

  it('passes over comments and empty lines, and counts lines', () => {
    const entries = readProperties('# one\n\n   ! two\r\na=1 # not a comment\r\n\r\nb=2')
    expect(entries).toEqual([
      { key: 'a', value: '1 # not a comment', line: 4 },
      { key: 'b', value: '2', line: 6 },
    ])
  })

  it('goes on behind a backslash at the end of a line, and reads escapes', () => {
    const entries = readProperties('a=one,\\\n   two\\\\\nb\\=c=\\u0041\\t\\:\nd=e\\')
    expect(entries).toEqual([
      { key: 'a', value: 'one,two\\', line: 1 },
      { key: 'b=c', value: 'A\t:', line: 3 },
      { key: 'd', value: 'e', line: 4 },
    ])
  })
})

describe('zoo.cfg', () => {
  it('gives what a server goes by', () => {
    const { notices, ...settings } = readZooCfg(
      `tickTime=2000
clientPort=2281
clientPortAddress=10.0.0.1
maxClientCnxns=0
globalOutstandingLimit=250
minSessionTimeout=1000
4lw.commands.whitelist=stat, ruok,mntr
snapCount=5000
extendedTypesEnabled=TRUE
DigestAuthenticationProvider.superDigest=super:UdxDQl4f9v5oITwcAsO9bmWgHSI=
znode.container.checkIntervalMs=500
enforceQuota=false
jute.maxbuffer=0xfffff
snapSizeLimitInKb=1024
commitLogCount=1000
reconfigEnabled=true
`,
      FILE,
    )
    expect(notices).toEqual([])
    expect(settings).toEqual({
      clientPort: 2281,
      clientPortAddress: '10.0.0.1',
      tickTimeMs: 2000,
      maxClientCnxns: 0,
      globalOutstandingLimit: 250,
      minSessionTimeoutMs: 1000,
      maxSessionTimeoutMs: 40_000,
      fourLetterWords: ['stat', 'ruok', 'mntr'],
      snapCount: 5000,
      extendedTypes: true,
      superDigest: 'super:UdxDQl4f9v5oITwcAsO9bmWgHSI=',
      sasl: { superUsers: [], allowFailedClients: false },
      containerCheckMs: 500,
      enforceQuota: false,
      requestBytesMax: 0xfffff,
      snapLogBytes: 1_048_576,
      commitLogCount: 1_000,
      reconfigEnabled: true,
      limits: {},
      servers: {},
      listensOnAll: false,
      isInsecure: false,
    })
  })

  it('gives the limits that the table knows, each under its key, and refuses one out of its range', () => {
    for (const [key, name] of LIMIT_KEYS) {
      const { min, max } = LIMITS[name]
      for (const value of [min, max]) expect(readZooCfg(`${key}=${value}`, FILE).limits).toEqual({ [name]: value })
      const must = `${FILE}:1: ${key} must be a whole number from ${min} to ${max}`
      expect(refusalOf(`${key}=${max + 1}`)).toBe(`${must}, got "${max + 1}"`)
    }
  })

  it('has the defaults of ZooKeeper for what it does not name', () => {
    const { notices, ...settings } = readZooCfg('', FILE)
    expect(notices).toEqual([])
    expect(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))).toEqual({
      tickTimeMs: 3_000,
      sasl: { superUsers: [], allowFailedClients: false },
      minSessionTimeoutMs: 6_000,
      maxSessionTimeoutMs: 60_000,
      extendedTypes: false,
      containerCheckMs: 60_000,
      limits: {},
      servers: {},
      listensOnAll: false,
      isInsecure: false,
    })
  })

  it('says which four-letter words it has not', () => {
    const cfg = readZooCfg('4lw.commands.whitelist=ruok, gtmk,dgst', FILE)
    expect(cfg.fourLetterWords).toEqual(['ruok', 'gtmk'])
    expect(cfg.notices).toEqual(['conf/zoo.cfg:1: 4lw.commands.whitelist: this server has no dgst'])
    expect(readZooCfg('4lw.commands.whitelist=*', FILE)).toMatchObject({ fourLetterWords: ['*'], notices: [] })
    expect(readZooCfg('4lw.commands.whitelist=', FILE)).toMatchObject({ fourLetterWords: [], notices: [] })
  })

  it('shows control characters of values in its messages, and passes none on', () => {
    const { notices } = readZooCfg('4lw.commands.whitelist=a\\n\u009b2J\nadmin.enableServer=\u007f', FILE)
    expect(notices).toEqual([
      'conf/zoo.cfg:1: 4lw.commands.whitelist: this server has no a\\n\\x9b2J',
      'conf/zoo.cfg:2: admin.enableServer: "\\x7f" is not true, so it is off',
    ])
    expect(() => readZooCfg('tickTime=\u009b2J', FILE)).toThrow('conf/zoo.cfg:1: tickTime must be a whole number from')
    expect(() => readZooCfg('tickTime=\u009b2J', FILE)).toThrow('got "\\x9b2J"')
  })

  it('bounds session time-outs by 2 and 20 ticks, as -1 does', () => {
    expect(readZooCfg('tickTime=500\nminSessionTimeout=-1\nmaxSessionTimeout=-1', FILE)).toMatchObject({
      minSessionTimeoutMs: 1_000,
      maxSessionTimeoutMs: 10_000,
    })
  })

  it('takes the values that ZooKeeper takes, and what they mean there', () => {
    const day = 86_400_000
    const text = [
      'tickTime=1000', 'maxClientCnxns=-1', 'globalOutstandingLimit=5000000', 'minSessionTimeout=0',
      `maxSessionTimeout=${2 * day}`, 'snapCount=0', 'snapSizeLimitInKb=-1', 'commitLogCount=3',
      `znode.container.checkIntervalMs=${day}`, 'jute.maxbuffer=0x10000000', 'initLimit=-1',
      'autopurge.snapRetainCount=-1', '4lw.commands.whitelist=ruok, ,stat,',
    ]
    expect(readZooCfg(text.join('\n'), FILE)).toMatchObject({
      maxClientCnxns: 0,
      globalOutstandingLimit: 5_000_000,
      minSessionTimeoutMs: 2,
      maxSessionTimeoutMs: 2 * day,
      snapCount: 2,
      snapLogBytes: Number.MAX_SAFE_INTEGER,
      commitLogCount: 500,
      containerCheckMs: day,
      requestBytesMax: 0x1000_0000,
      fourLetterWords: ['ruok', 'stat'],
    })
    expect(readZooCfg('tickTime=2147483647', FILE)).toMatchObject({ maxSessionTimeoutMs: 2_147_483_647 })
  })

  it('takes what is not true for false where ZooKeeper does, and says so', () => {
    const cfg = readZooCfg('enforceQuota=yes\nextendedTypesEnabled=1', FILE)
    expect(cfg).toMatchObject({ enforceQuota: false, extendedTypes: false })
    expect(cfg.notices).toEqual([
      'conf/zoo.cfg:1: enforceQuota: "yes" is not true, so it is off',
      'conf/zoo.cfg:2: extendedTypesEnabled: "1" is not true, so it is off',
    ])
  })

  it('warns of a key that it does not know, with its line', () => {
    expect(noticesOf('tickTime=2000\n\nclientport=2181\nfoo.bar=1')).toEqual([
      'conf/zoo.cfg:3: unknown key clientport: ignored; did you mean clientPort?',
      'conf/zoo.cfg:4: unknown key foo.bar: ignored',
    ])
  })

  it('knows where data are kept', () => {
    const text = 'dataDir=/var/lib/zookeeper\ndataLogDir=/var/log/zookeeper\nautopurge.snapRetainCount=1'
    const place = { dataDir: '/var/lib/zookeeper', dataLogDir: '/var/log/zookeeper', snapRetainCount: 3 }
    expect(readZooCfg(text, 'conf/zoo.cfg')).toMatchObject({ ...place, notices: [] })
  })

  it('gives the servers of an ensemble, and what they keep to', () => {
    const members = 'server.1=a:2888:3888\nserver.2=b:2888:3888:observer\nserver.3=c:2888:3888;2181'
    const limits = 'initLimit=10\nsyncLimit=5\ncnxTimeout=700\nquorumListenOnAllIPs=true\npeerType=Observer'
    expect(readZooCfg(`${members}\n${limits}`, FILE)).toMatchObject({
      servers: { 1: 'a:2888:3888', 2: 'b:2888:3888:observer', 3: 'c:2888:3888;2181' },
      initLimit: 10,
      syncLimit: 5,
      connectTimeoutMs: 700,
      listensOnAll: true,
      peerType: 'observer',
      notices: [],
    })
  })

  it('makes one server an ensemble only if standaloneEnabled is off', () => {
    expect(readZooCfg('server.1=a:1:2', FILE).servers).toEqual({})
    expect(readZooCfg('server.1=a:1:2\nstandaloneEnabled=false', FILE).servers).toEqual({ 1: 'a:1:2' })
  })

  it('takes its servers from the file that dynamicConfigFile names', () => {
    const read = (text: string, dynamic: string): ReturnType<typeof readZooCfg> => readZooCfg(text, FILE, (path) => {
      if (path !== 'x.dynamic.1a') throw Object.assign(new Error(path), { code: 'ENOENT' })
      return dynamic
    })
    const pointer = 'clientPort=1\ndynamicConfigFile=x.dynamic.1a'
    const { servers, notices } = read(`${pointer}\nserver.7=z:1:2`, 'server.1=a:1:2\nserver.2=b:1:2:observer;3')
    expect(servers).toEqual({ 1: 'a:1:2', 2: 'b:1:2:observer;3' })
    expect(notices).toEqual([
      'conf/zoo.cfg: without effect, as dynamicConfigFile says who the servers are: server.7 (line 3)',
    ])
    const refusal = (text: string, dynamic: string): string => {
      try {
        read(text, dynamic)
        return 'accepted'
      } catch (error) {
        return error instanceof Failure ? error.message : String(error)
      }
    }
    expect(refusal('dynamicConfigFile=y', '')).toBe('conf/zoo.cfg:1: cannot read y: there is no such file')
    expect(refusal(pointer, 'server.1=a:1')).toMatch(/^x.dynamic.1a:1: server.1 must be .*a port is missing$/)
    expect(refusal(pointer, '\ngroup.1=1')).toMatch(/^x.dynamic.1a:2: group.1: a majority of the voters decides/)
    expect(refusal(pointer, 'version=1')).toBe(
      'x.dynamic.1a:1: a dynamic configuration has server.N lines, not version',
    )
  })

  it.each([
    'group.1=1:2', 'weight.1=2', 'ssl.quorum.ciphersuites=x',
    'ssl.quorum.crl=true', 'ssl.quorum.clientAuth=none',
    'quorum.auth.enableSasl=true', 'multiAddress.enabled=true', 'oraclePath=x', 'observerMasterPort=1',
  ])('is refused with %s, and what to do is said', (line) => {
    expect(refusalOf(line)).toMatch(new RegExp(`^conf/zoo.cfg:1: ${line.split('=')[0]}: .*(remove|write)`))
  })

  it.each(['sslQuorum=false', 'localSessionsEnabled=false'])('is taken with %s', (line) => {
    expect(refusalOf(`clientPort=1\n${line}`)).toBe('accepted')
  })

  it('leaves all clients to the others only by leaderServes=no, as ZooKeeper does', () => {
    const servers = 'initLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\n'
    const served = (text: string): unknown[] => {
      const { leaderServes, notices } = readZooCfg(`${servers}${text}`, FILE)
      return [leaderServes, ...notices]
    }
    expect(served('')).toEqual([undefined])
    expect(served('leaderServes=no')).toEqual([false])
    expect(served('leaderServes=yes')).toEqual([true])
    expect(served('leaderServes=false')).toEqual([
      true, 'conf/zoo.cfg:5: leaderServes: "false" is not no, so it is yes',
    ])
    expect(readZooCfg('leaderServes=no', FILE).notices).toEqual([
      'conf/zoo.cfg: without effect on this server: leaderServes (line 1)',
    ])
  })

  it('lets clients read without a majority if it asks for that, as a server of several', () => {
    const servers = 'initLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\n'
    const modeOf = (text: string): boolean | undefined => readZooCfg(`${servers}${text}`, FILE).readOnlyMode
    expect(modeOf('')).toBe(undefined)
    expect(modeOf('readonlymode.enabled=true')).toBe(true)
    expect(modeOf('readonlymode.enabled=false')).toBe(false)
    expect(readZooCfg('readonlymode.enabled=true', FILE).notices).toEqual([
      'conf/zoo.cfg: without effect on this server: readonlymode.enabled (line 1)',
    ])
  })

  it('has local sessions as a server of several, upgraded or not, if it asks for that', () => {
    const servers = 'initLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.2=b:1:2\n'
    const modeOf = (text: string): string | undefined => readZooCfg(`${servers}${text}`, FILE).localSessions
    const [local, upgrading] = ['localSessionsEnabled=true', 'localSessionsUpgradingEnabled=true']
    expect([modeOf(''), modeOf('localSessionsEnabled=false'), modeOf(upgrading)]).toEqual(Array(3).fill(undefined))
    expect([modeOf(local), modeOf(`${local}\n${upgrading}`)]).toEqual(['only', 'upgradeable'])
    expect(readZooCfg(local, FILE).notices).toEqual([
      'conf/zoo.cfg: without effect on this server: localSessionsEnabled (line 1)',
    ])
  })

  it('has an AdminServer if it asks for one, on 8080 unless it says otherwise', () => {
    const adminOf = (text: string): unknown[] => {
      const { adminPort, adminAddress, notices } = readZooCfg(`clientPort=1\n${text}`, FILE)
      return [adminPort, adminAddress, notices.length]
    }
    expect(adminOf('')).toEqual([undefined, undefined, 0])
    expect(adminOf('admin.enableServer=true')).toEqual([8080, undefined, 0])
    expect(adminOf('admin.serverPort=8081\nadmin.serverAddress=10.0.0.1\nadmin.commandURL=/commands')).toEqual([
      8081, '10.0.0.1', 0,
    ])
    expect(adminOf('admin.enableServer=false')).toEqual([undefined, undefined, 0])
    expect(adminOf('admin.enableServer=false\nadmin.serverPort=8081')).toEqual([undefined, undefined, 1])
    expect(adminOf('admin.serverAddress=10.0.0.1')).toEqual([undefined, '10.0.0.1', 1])
    expect(refusalOf('admin.commandURL=/other')).toMatch(/^conf\/zoo.cfg:1: admin.commandURL: .*remove this line$/)
    expect(refusalOf('admin.serverPort=70000')).toContain('admin.serverPort must be a whole number from 0 to 65535')
  })

  it('says in one line what has no effect', () => {
    const idle = 'initLimit=10\nsyncLimit=5\n\nadmin.idleTimeout=1\nserver.1=a:1:2'
    expect(noticesOf(`${idle}\nstandaloneEnabled=true\nautopurge.purgeInterval=1`)).toEqual([
      'conf/zoo.cfg: without effect on this server: initLimit (line 1), syncLimit (line 2), ' +
        'admin.idleTimeout (line 4), server.1 (line 5), standaloneEnabled (line 6), ' +
        'autopurge.purgeInterval (line 7)',
    ])
  })

  it('takes the last of two entries, and says so', () => {
    const cfg = readZooCfg('clientPort=1\nclientPort=2', FILE)
    expect(cfg.clientPort).toBe(2)
    expect(cfg.notices).toEqual(['conf/zoo.cfg:2: clientPort stands on line 1 already: this one holds'])
  })

  it.each([
    ['clientPort=65536', 'clientPort must be a whole number from 0 to 65535, got "65536"'],
    ['clientPort=many', 'clientPort must be a whole number from 0 to 65535, got "many"'],
    ['tickTime=0', 'tickTime must be a whole number from 1 to 2147483647, got "0"'],
    ['tickTime=', 'tickTime must be a whole number from 1 to 2147483647, got ""'],
    ['maxClientCnxns=some', 'maxClientCnxns must be a whole number from -2147483648 to 2147483647, got "some"'],
    ['standaloneEnabled=yes', 'standaloneEnabled must be true or false, got "yes"'],
    [
      'server.1=host',
      'server.1 must be host:peerPort:electionPort[:participant|:observer][;[clientHost:]clientPort], got "host": ' +
        'a port is missing',
    ],
    ['clientPortAddress=', 'clientPortAddress must be something, got ""'],
    [
      'DigestAuthenticationProvider.superDigest=secret',
      'DigestAuthenticationProvider.superDigest must be super:<base64 of the SHA-1 of super:password>',
    ],
  ])('refuses %s with file and line', (entry, message) => {
    expect(refusalOf(`# a comment\n${entry}`)).toBe(`conf/zoo.cfg:2: ${message}`)
  })

  it('refuses bounds of session time-outs that leave nothing between them', () => {
    expect(refusalOf('tickTime=1000\nminSessionTimeout=30000')).toBe(
      'conf/zoo.cfg:2: minSessionTimeout, 30000, must not be more than maxSessionTimeout, 20000',
    )
  })
})

describe('a file that is none', () => {
  it('is refused if it is not text, or no key in it is known', () => {
    expect(refusalOf('\u007fELF\u0000=')).toBe(`${FILE} is no configuration: it is not text`)
    const readme = '# A title\nSome words\nother = words\n'
    expect(refusalOf(readme)).toBe(`${FILE} is no configuration of ZooKeeper: no key in it is known; the first is Some`)
    expect(refusalOf('')).toBe('accepted')
    expect(refusalOf('# only a comment\n')).toBe('accepted')
  })

  it('has its unknown keys named, with the one that is likely meant', () => {
    expect(noticesOf('ticktime=2000\nclientPrt=1\nclientPort=2\n\u001b[2Jx=1\n')).toEqual([
      `${FILE}:1: unknown key ticktime: ignored; did you mean tickTime?`,
      `${FILE}:2: unknown key clientPrt: ignored; did you mean clientPort?`,
      `${FILE}:4: unknown key \\x1b[2Jx: ignored`,
    ])
  })
})
