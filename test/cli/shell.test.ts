/** The commands of the shell, each against a server in this process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { secretCodec } from '../../src/recipes/config/secret-codec.ts'
import { connect } from '../../src/core/connect.ts'
import { COMMANDS } from '../../src/cli/shell/commands.ts'
import { complete } from '../../src/cli/shell/completion.ts'
import { ShellRig } from './shell-rig.ts'
import type { TestShell } from './shell-rig.ts'

const rig = new ShellRig()
let shell: TestShell

beforeAll(async () => {
  await rig.start()
  shell = await rig.shell()
})

afterAll(async () => {
  await rig.close()
})

describe('a command on a node', () => {
  it('creates, reads, replaces and deletes it, in the words of zkCli', async () => {
    expect(await shell.ok('create /n hello')).toBe('Created /n\n')
    expect(await shell.ok('get /n')).toBe('hello\n')
    expect(await shell.ok('set /n "two words"')).toBe('')
    expect(await shell.ok('get -b /n')).toBe('dHdvIHdvcmRz\n')
    expect(await shell.ok('set -b /n AAECAw==')).toBe('')
    expect(await shell.ok('get -x /n')).toContain('|00000000| 00 01 02 03')
    expect(await shell.ok('delete /n')).toBe('')
    expect(await shell.run('get /n')).toEqual({ status: 1, out: '', err: 'Node does not exist: /n\n' })
  })

  it('prints its stat line for line as zkCli does', async () => {
    await shell.ok('create /stat abc')
    const lines = (await shell.ok('stat /stat')).split('\n')
    expect(lines.map((line) => line.replace(/ = .*/, ''))).toEqual([
      'cZxid', 'ctime', 'mZxid', 'mtime', 'pZxid', 'cversion', 'dataVersion', 'aclVersion', 'ephemeralOwner',
      'dataLength', 'numChildren', '',
    ])
    expect(lines).toEqual(expect.arrayContaining([
      expect.stringMatching(/^cZxid = 0x[0-9a-f]+$/),
      expect.stringMatching(/^ctime = [A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}$/),
      'dataLength = 3',
    ]))
    expect(await shell.ok('get -s /stat')).toBe(`abc\n${lines.join('\n')}`)
  })

  it('makes every kind of node that its flags name', async () => {
    await shell.ok('create /kinds')
    expect(await shell.ok('create -s /kinds/s-')).toBe('Created /kinds/s-0000000000\n')
    expect(await shell.ok('create -e /kinds/e')).toBe('Created /kinds/e\n')
    expect(await shell.ok('create -se /kinds/se-')).toBe('Created /kinds/se-0000000002\n')
    expect(await shell.ok('create -c /kinds/c')).toBe('Created /kinds/c\n')
    expect(await shell.ok('create -t 60000 /kinds/t')).toBe('Created /kinds/t\n')
    expect(await shell.ok('create -s -t 60000 /kinds/st-')).toBe('Created /kinds/st-0000000005\n')
    expect(await shell.ok('getEphemerals /kinds')).toBe('[/kinds/e, /kinds/se-0000000002]\n')
    expect(await shell.ok('getAllChildrenNumber /kinds')).toBe('6\n')
    expect(await shell.ok('ls /kinds')).toBe('[c, e, s-0000000000, se-0000000002, st-0000000005, t]\n')
  })

  it('makes the nodes above it that are missing, with -p', async () => {
    expect((await shell.run('create /p/q/r x')).err).toBe('Node does not exist: /p/q/r\n')
    expect(await shell.ok('create -p /p/q/r x')).toBe('Created /p/q/r\n')
    expect(await shell.ok('create -ps /p/s/')).toBe('Created /p/s/0000000000\n')
    expect(await shell.ok('create -p /p/t/u y world:anyone:r')).toBe('Created /p/t/u\n')
    expect(await shell.ok('ls -R /p')).toBe('/p\n/p/q\n/p/q/r\n/p/s\n/p/s/0000000000\n/p/t\n/p/t/u\n')
    expect((await shell.run('create -p /p/q/r')).err).toBe('Node already exists: /p/q/r\n')
    const under = await rig.shell({ chroot: '/p/chroot' })
    expect(await under.ok('create -e -p /a/b')).toBe('Created /a/b\n')
  })

  it.each([
    ['create -c -e /x', '-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.'],
    ['create -e -t 5 /x', 'TTLs cannot be used with Ephemeral znodes'],
    ['create -t 0 /x', '-t must be a whole number from 1 to 1099511627775, got "0"'],
    ['create x', `path must be a node's path, got "x": it does not begin with /`],
    ['get /x/', `path must be a node's path, got "/x/": it ends in /`],
    ['set -b /n %%%', 'data must be base64 with -b, got "%%%"'],
    ['deleteall /', 'deleteall / would delete everything: name the nodes one by one'],
    ['ls', 'ls: too few arguments; usage: ls [-s] [-w] [-R] path'],
    ['gett /n', 'Command not found gett; did you mean get?'],
    ['frobnicate /n', 'Command not found frobnicate; help lists the commands'],
    ['GETACL /n', 'Command not found GETACL; did you mean getAcl?'],
    ['addWatch -m FOREVER /n', '-m must be PERSISTENT or PERSISTENT_RECURSIVE, got "FOREVER"'],
    ['setAcl / anyone', '"anyone" does not have the form scheme:id:perm'],
    ['setAcl / world:anyone:rx', 'unknown perm type x in world:anyone:rx: they are c, d, r, w and a'],
    [
      'locks at /n',
      'locks: it takes ls, who, revoke or evict, got "at"; '
      + 'usage: locks ls|who path | revoke [-r reason] path | evict path token | --graph [path]',
    ],
    ['redo 99', 'there is no command 99 in the history'],
    ['create /a "b', 'a quote without an end: "b'],
  ])('is refused with what is wrong: %s', async (line, message) => {
    expect(await shell.run(line)).toEqual({ status: 2, out: '', err: `${message}\n` })
  })

  it('tells in zkCli\'s words what the servers refuse', async () => {
    await shell.ok('create /refused')
    await shell.ok('create /refused/child')
    expect((await shell.run('create /refused')).err).toBe('Node already exists: /refused\n')
    expect((await shell.run('delete /refused')).err).toBe('Node not empty: /refused\n')
    expect((await shell.run('set -v 7 /refused x')).err).toBe('version No is not valid : /refused\n')
    await shell.ok('create -e /refused/e')
    expect((await shell.run('create /refused/e/x')).err).toBe('Ephemerals cannot have children: /refused/e/x\n')
  })

  it('lists and draws what is below, and deletes it all', async () => {
    for (const path of ['/t', '/t/a', '/t/a/one', '/t/b']) await shell.ok(`create ${path}`)
    await shell.ok('create -e /t/a/two')
    expect(await shell.ok('ls -R /t')).toBe('/t\n/t/a\n/t/a/one\n/t/a/two\n/t/b\n')
    expect(await shell.ok('tree /t')).toBe('/t\n├── a\n│   ├── one\n│   └── two (ephemeral)\n└── b\n')
    expect(await shell.ok('tree -d 1 /t')).toBe('/t\n├── a\n└── b\n')
    expect(await shell.ok('sync /t')).toBe('Sync is OK\n')
    expect(await shell.ok('deleteall -b 2 /t')).toBe('')
    expect((await shell.run('ls /t')).err).toBe('Node does not exist: /t\n')
  })
})

describe('a command on access', () => {
  it('shows and changes lists, and what an identity is let do', async () => {
    await shell.ok('create /acl x')
    expect(await shell.ok('getAcl /acl')).toBe(`'world,'anyone\n: cdrwa\n`)
    expect(await shell.ok('whoami')).toMatch(/^Auth scheme: User\nip: 127\.0\.0\.1\n$/)
    const other = await rig.shell()
    await other.ok('addauth digest ann:secret')
    expect(await other.ok('whoami')).toContain('digest: ann\n')
    await other.ok('setAcl /acl auth::cdrwa')
    expect((await shell.run('get /acl')).err).toBe('Insufficient permission : /acl\n')
    expect(await other.ok('get /acl')).toBe('x\n')
    expect(await other.ok('create /acl/mine y auth::r')).toBe('Created /acl/mine\n')
    expect(await other.ok('getAcl /acl/mine')).toMatch(/^'digest,'ann:\S+\n: r\n$/)
    await other.ok('setAcl -R /acl world:anyone:cdrwa').catch(() => undefined)
  })

  it('goes on as the same identity behind a broken connection', async () => {
    const other = await rig.shell()
    await other.ok('addauth digest bob:secret')
    await other.ok('create /bob x auth::cdrwa')
    rig.ensemble.disconnectSession(other.shell.client?.sessionId ?? 0n)
    await other.written(/SyncConnected type:None/)
    expect(await other.ok('get /bob')).toBe('x\n')
  })

  it('says what is wrong with an identity that the servers refuse', async () => {
    const other = await rig.shell()
    expect(await other.run('addauth nonsense x')).toMatchObject({
      status: 1,
      err: expect.stringMatching(/refuse this identity \(-115\)/) as string,
    })
  })
})

describe('a watch', () => {
  it('is printed once when it fires, in zkCli\'s form', async () => {
    const other = await rig.shell()
    await other.ok('create /w')
    await other.ok('get -w /w')
    await shell.ok('set /w changed')
    expect(await other.written(/path:\/w\n/)).toBe(
      '\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/w\n',
    )
    await other.ok('ls -w /w')
    await shell.ok('create /w/child')
    expect(await other.written(/path:\/w\n/)).toContain('type:NodeChildrenChanged path:/w')
    expect(other.shell.watches.size).toBe(0)
  })

  it('that stays tells of all below, until it is removed, and over a broken connection', async () => {
    const other = await rig.shell()
    await other.ok('create /deep')
    await other.ok('addWatch /deep')
    await shell.ok('create /deep/er')
    expect(await other.written(/NodeCreated/)).toContain('type:NodeCreated path:/deep/er\n')
    rig.ensemble.disconnectSession(other.shell.client?.sessionId ?? 0n)
    await other.written(/SyncConnected type:None/)
    await other.ok('sync /')
    await shell.ok('set /deep/er x')
    expect(await other.written(/NodeDataChanged/)).toContain('type:NodeDataChanged path:/deep/er\n')
    expect(await other.ok('removewatches /deep')).toContain('type:PersistentWatchRemoved path:/deep\n')
    expect((await other.run('removewatches /deep')).err).toBe('there is no such watch on /deep\n')
    await shell.ok('set /deep/er y')
    expect(await other.ok('sync /')).toBe('Sync is OK\n')
  })

  it('stays on a path whose one-shot watch is removed', async () => {
    const other = await rig.shell()
    await other.ok('create /both')
    await other.ok('addWatch -m PERSISTENT /both')
    await other.ok('ls -w /both')
    await other.ok('removewatches /both -c')
    await other.ok('get -w /both')
    await shell.ok('set /both x')
    // Both see it, and it is one event.
    expect((await other.written(/NodeDataChanged/)).match(/path:\/both/g)).toHaveLength(1)
    await shell.ok('set /both y')
    expect(await other.ok('sync /both')).toMatch(/^\nWATCHER::\n\n.* type:NodeDataChanged path:\/both\nSync is OK\n$/)
  })

  it('is silent while printwatches is off', async () => {
    const other = await rig.shell()
    await other.ok('create /quiet')
    expect(await other.ok('printwatches')).toBe('printwatches is on\n')
    await other.ok('printwatches off')
    await other.ok('stat -w /quiet')
    await shell.ok('set /quiet x')
    expect(await other.ok('sync /quiet')).toBe('Sync is OK\n')
  })
})

describe('a command on what recipes keep', () => {
  it('shows who holds a lock and who waits', async () => {
    await using client = await connect(rig.ensemble)
    await using _lease = await new FairLock(client, '/locks/a').acquire({ data: 'first' })
    const waiting = new AbortController()
    const second = new FairLock(client, '/locks/a').acquire({ data: 'second', signal: waiting.signal })
    while ((await new FairLock(client, '/locks/a').contenders()).length < 2) await client.sync()
    await using _exclusive = await new ExclusiveLock(client, '/locks/b').acquire({ data: 'alone' })
    await shell.ok(`create /locks/kazoo`)
    await shell.ok(`create -s /locks/kazoo/${'0'.repeat(32)}__lock__ theirs`)

    expect((await shell.ok('locks ls /locks')).replace(/0x[0-9a-f]+/g, 'ID').split('\n')).toEqual([
      expect.stringMatching(/^LOCK +HOLDER +SINCE +WAITING +SAYS$/),
      expect.stringMatching(/^\/locks\/a +ID +\d+ s +1 +first$/),
      expect.stringMatching(/^\/locks\/b +ID +\d+ s +0 +alone$/),
      expect.stringMatching(/^\/locks\/kazoo +ID +\d+ s +0 +theirs$/),
      '',
    ])
    expect(await shell.json('locks who /locks/a')).toMatchObject({
      path: '/locks/a',
      contenders: [
        { position: 0, holds: true, data: 'first', sessionId: String(client.sessionId) },
        { position: 1, holds: false, data: 'second' },
      ],
    })
    expect(await shell.ok('locks who /locks')).toBe('nobody\n')
    // kazoo's Lock that was told to use Curator's word; its contenders are no locks themselves.
    await shell.ok(`create -p -s /locks/both/${'1'.repeat(32)}-lock- first`)
    await shell.ok(`create -s /locks/both/${'2'.repeat(32)}__lock__ second`)
    expect(await shell.json('locks who /locks/both')).toMatchObject({
      contenders: [{ holds: true, data: 'first' }, { holds: false, data: 'second' }],
    })
    expect(await shell.ok('locks ls /locks')).toMatch(/\/locks\/both +0x0 +\d+ s +1 +first\n/)
    expect(await shell.ok('locks ls /locks/both')).toBe('')
    waiting.abort()
    await expect(second).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('shows the members of a group', async () => {
    await using client = await connect(rig.ensemble)
    await using _member = await new GroupMembership(client, '/groups/g').join('worker-1', { data: { port: 80 } })
    expect(await shell.ok('members /groups/g')).toMatch(/^MEMBER .*\nworker-1 +\d+ s +0x[0-9a-f]+ +\{"port":80\}\n$/)
    expect(await shell.json('members /groups/g')).toMatchObject({ members: [{ id: 'worker-1', data: { port: 80 } }] })
  })

  it('reads, replaces and watches a value', async () => {
    expect(await shell.ok('config get /conf/v')).toBe('/conf/v has no value\n')
    await shell.ok('config watch /conf/v')
    await shell.ok(`config set /conf/v '{"limit": 5}'`)
    expect(await shell.written(/limit/)).toContain('{"limit":5}\n')
    expect(await shell.ok('config get /conf/v')).toBe('{"limit":5}\n')
    expect((await shell.run('config set -v 7 /conf/v 1')).status).toBe(1)
    expect(await shell.run('config set /conf/v text')).toMatchObject({
      status: 2,
      err: `"text" is not JSON; a string needs its quotes, as in '"text"'\n`,
    })
    await shell.ok('removewatches /conf/v')
  })

  it('says of a secret that it is one, and shows its bytes to who asks for bytes', async () => {
    const { encode } = secretCodec<string>({ keys: [{ id: 'k1', bytes: new Uint8Array(32).fill(1) }] })
    const bytes = encode('correct horse', '/conf/secret')
    const base64 = Buffer.from(bytes).toString('base64')
    for (const line of ['create /conf/secret', `set -b /conf/secret ${base64}`]) await shell.run(line)
    const said = 'a secret, encrypted with the key k1'
    expect(await shell.ok('get /conf/secret')).toBe(`${said}\n`)
    expect(await shell.json('get /conf/secret')).toMatchObject({ secret: said })
    expect(await shell.ok('get -b /conf/secret')).toBe(`${base64}\n`)
    expect(await shell.ok('config get /conf/secret')).toBe(`"${said}"\n`)
  })

  it('carries a tree over as JSON lines', async () => {
    for (const line of ['create /from top', 'create /from/a', 'create /from/a/b "two words"']) await shell.ok(line)
    await shell.ok('set -b /from/a /w==')
    await shell.ok('create -e /from/gone')
    const exported = await shell.run('export /from')
    expect(exported.out).toBe(
      '{"path":"/","data":"top"}\n{"path":"/a","data":"/w==","encoding":"base64"}\n' +
        '{"path":"/a/b","data":"two words"}\n',
    )
    expect(exported.err).toBe('1 ephemeral node is left out\n')
    const folder = mkdtempSync(join(tmpdir(), 'quorate-import-'))
    try {
      const file = join(folder, 'lines')
      writeFileSync(file, exported.out)
      expect(await shell.ok(`import /to/here ${file}`)).toBe('3 created, 0 changed, 0 as they were\n')
      expect((await shell.run('export /to/here')).out).toBe(exported.out)
      await shell.ok('set /to/here/a/b other')
      expect(await shell.run(`import /to/here ${file}`)).toMatchObject({
        status: 1,
        err: '/to/here/a/b is there with other data; -f replaces them\n',
      })
      expect(await shell.ok(`import -f /to/here ${file}`)).toBe('0 created, 1 changed, 2 as they were\n')
      await shell.ok('addauth digest ann:a')
      await shell.ok('create /from/secret "" auth::cdrwa')
      await shell.ok('setAcl /from/a world:anyone:r,auth::ca')
      const guarded = await shell.run('export /from')
      expect(guarded.out).toContain('"acl":["world:anyone:r","digest:ann:i9V/d2HTT0sehGWzvQcFNipywIQ=:ca"]}\n')
      writeFileSync(file, guarded.out)
      await shell.ok(`import /guarded ${file}`)
      expect((await shell.run('export /guarded')).out).toBe(guarded.out)
      writeFileSync(file, '{"path":"/x","data":"ok"}\n{"path":"x"}\n')
      expect((await shell.run(`import /to ${file}`)).err).toBe(`${file}:2: "path" must be a node's path, got "x"\n`)
      const unread = `cannot read ${folder}/none: there is no such file\n`
      expect((await shell.run(`import /to ${folder}/none`)).err).toBe(unread)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('the shell', () => {
  it('prints one JSON value a result on request, with stable keys', async () => {
    await shell.ok('create /json text')
    expect(await shell.json('get /json')).toEqual({ path: '/json', data: 'text', version: 0 })
    expect(await shell.json('ls -s /json')).toMatchObject({
      children: [],
      stat: { czxid: expect.stringMatching(/^\d+$/) as string, numChildren: 0 },
    })
    expect(await shell.json('set /json more')).toEqual({ path: '/json', version: 1 })
    expect(await shell.json('create -s /json/s-')).toEqual({ created: '/json/s-0000000000' })
    expect(await shell.json('getAcl /json')).toEqual({
      path: '/json',
      acl: [{ scheme: 'world', id: 'anyone', perms: 'cdrwa' }],
    })
    const { status, out, err } = await shell.run('get /none --json')
    expect([status, out]).toEqual([1, ''])
    expect(JSON.parse(err)).toEqual({
      error: { code: 'NO_NODE', message: 'Node does not exist: /none', outcome: 'rejected', path: '/none' },
    })
    const all = await rig.shell({ json: true })
    expect(JSON.parse(await all.ok('whoami'))).toEqual({ identities: [{ scheme: 'ip', id: '127.0.0.1' }] })
  })

  it('remembers its lines, and runs one again', async () => {
    const other = await rig.shell()
    await other.ok('create -s /again-')
    await other.ok('ls /json')
    expect(await other.ok('history')).toBe('0 - create -s /again-\n1 - ls /json\n2 - history\n')
    expect(await other.ok('redo 0')).toMatch(/^Created \/again-\d{10}\n$/)
    expect((await other.run('redo 1')).out).toBe('[s-0000000000]\n')
    await other.run('get /none')
    expect(await other.run('redo 5')).toMatchObject({ status: 1, err: 'Node does not exist: /none\n' })
  })

  it('shows no secret in its history, and runs such a line again all the same', async () => {
    const other = await rig.shell()
    await other.ok('addauth digest ann:SECRET')
    await other.run('connect redis://ann:SECRET')
    expect(await other.ok('history')).toBe('0 - addauth ***\n1 - connect ***\n2 - history\n')
    expect(JSON.stringify(await other.json('history --json'))).not.toContain('SECRET')
    await other.ok('redo 0')
    expect(await other.ok('whoami')).toContain('digest: ann\n')
  })

  it('answers whatever is wrong in one line, with a status', async () => {
    const bad = ['/x/', 'x', '-q', '-v=x', '-v', '"', '--jsom', '99999999999999999999', '', '/a b']
    for (const name of COMMANDS.keys()) {
      for (const word of bad) {
        if (['redo', 'quit', 'exit', 'close', 'connect'].includes(name)) continue
        const { status, err } = await shell.run(`${name} ${word} ${word}`)
        expect(err, `${name} ${word}`).toMatch(/^([^\n]+\n)?$/)
        expect(err === '').toBe(status === 0)
        expect(err).not.toMatch(/TypeError|undefined|\[object|at .*\.ts:/)
      }
    }
  })

  it('closes and connects, and says when it is not connected', async () => {
    const other = await rig.shell()
    await other.ok('create -e /mine')
    expect(other.shell.place).toBe(`${rig.address}(CONNECTED)`)
    await other.ok('close')
    expect(other.shell.place).toContain('(CLOSED)')
    expect(await other.run('ls /')).toMatchObject({ status: 1, err: 'not connected: use connect [host:port | URL]\n' })
    await other.ok(`connect ${rig.address}`)
    expect((await other.run('get /mine')).err).toBe('Node does not exist: /mine\n')
    expect((await other.run('connect nowhere://x')).status).toBe(2)
    expect(other.shell.place).toBe(`${rig.address}(CONNECTED)`)
  })

  it('lives under a chroot', async () => {
    const other = await rig.shell({ chroot: '/under/here' })
    expect(await other.ok('create -e /x y world:anyone:cdrwa')).toBe('Created /x\n')
    expect(await other.ok('getEphemerals')).toBe('[/x]\n')
    await other.ok('addWatch /x')
    expect((await other.run('removewatches /y')).err).toBe('there is no such watch on /y\n')
    await shell.ok('set /under/here/x z')
    expect(await other.written(/NodeDataChanged/)).toContain('path:/x\n')
    expect((await other.run('getAcl /none')).err).toBe('Node does not exist: /none\n')
  })

  it('helps', async () => {
    const help = await shell.ok('help')
    expect(help).toContain('  ls [-s] [-w] [-R] path\n')
    const whoami = 'usage: whoami\nlists the identities of this connection\n'
    expect(await shell.ok('help whoami')).toBe(whoami)
    expect(await shell.ok('whoami --help')).toBe(whoami)
    for (const name of COMMANDS.keys()) {
      const about = await shell.ok(`help ${name}`)
      expect(about).toMatch(/^usage: \w+.*\n\w.*\n/)
      for (const flag of ['--help', '-h']) expect(await shell.ok(`${name} ${flag}`), name).toBe(about)
    }
    expect(shell.shell.isOver).toBe(false)
    // After -- it is a word as any other.
    expect(await shell.ok('create /helped -- --help')).toBe('Created /helped\n')
    expect(await shell.ok('get /helped')).toBe('--help\n')
  })

  it('completes commands, and paths by what is there', async () => {
    for (const path of ['/tab', '/tab/one', '/tab/only', '/tab/two']) await shell.ok(`create ${path}`)
    await shell.ok('create "/tab/with space"')
    const { client } = shell.shell
    expect(await complete('creat', client)).toEqual([['create '], 'creat'])
    expect(await complete('get', client)).toEqual([['get', 'getAcl', 'getAllChildrenNumber', 'getEphemerals'], 'get'])
    expect(await complete('ls -R /tab/o', client)).toEqual([['/tab/one', '/tab/only'], '/tab/o'])
    expect(await complete('get "/tab/w', client)).toEqual([['"/tab/with space"'], '"/tab/w'])
    expect(await complete('get /nowhere/x', client)).toEqual([[], '/nowhere/x'])
    expect(await complete('locks w', client)).toEqual([['who '], 'w'])
    expect(await complete('get /tab', null)).toEqual([[], '/tab'])
    for (const name of ['constructor', '__proto__']) expect(await complete(`${name} `, client)).toEqual([[], ''])
  })
})

describe('the guide', () => {
  const page = readFileSync(new URL('../../docs/guide/shell.md', import.meta.url), 'utf8')
  const text = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(({ 1: block = '' }) => block).join('')

  it('shows what the commands print', async () => {
    const other = await rig.shell({ chroot: '/guide' })
    const examples = text.split(/^\$ quorate /m).slice(1).map((example) => {
      const end = example.indexOf('\n')
      return { line: example.slice(0, end), prints: example.slice(end + 1) }
    })
    expect(examples.length).toBeGreaterThan(10)
    for (const { line, prints } of examples) {
      const { out, err } = await other.run(line)
      expect(`$ ${line}\n${out}${err}`).toBe(`$ ${line}\n${prints}`)
    }
  })
})
