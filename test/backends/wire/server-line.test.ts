import { describe, expect, it } from 'vitest'
import { parseServerLine, serverLineText } from '../../../src/backends/wire/server-line.ts'
import { memberSettingsOf } from '../../../src/backends/embedded/member-options.ts'
import type { MemberOptions } from '../../../src/backends/embedded/member-options.ts'

describe('the text of a server', () => {
  it.each([
    ['app-1:2888:3888', 'server.1=app-1:2888:3888:participant'],
    ['app-1:2888:3888:observer', 'server.1=app-1:2888:3888:observer'],
    ['app-1:2888:3888;2181', 'server.1=app-1:2888:3888:participant;0.0.0.0:2181'],
    ['10.0.0.1:1:2:participant;10.0.0.2:3', 'server.1=10.0.0.1:1:2:participant;10.0.0.2:3'],
    ['[::1]:2888:3888:OBSERVER;[fe80::1%eth0]:2181', 'server.1=[::1]:2888:3888:observer;[fe80::1%eth0]:2181'],
  ])('%s is read', (given, written) => {
    expect(serverLineText(1, parseServerLine(given, 'servers[1]'))).toBe(written)
  })

  it.each([
    ['', 'a port is missing'],
    ['app-1:2888', 'a port is missing'],
    [':2888:3888', 'there is no host'],
    ['a b:2888:3888', 'there is no host'],
    ['app-1:0:3888', 'the peer port must be from 1 to 65535, not "0"'],
    ['app-1:2888:99999', 'the election port must be from 1 to 65535, not "99999"'],
    ['app-1:2888:2888', 'the peer port and the election port must differ'],
    ['app-1:2888:3888:leader', 'there is no role "leader"'],
    ['app-1:2888:3888;x', 'the client port must be from 1 to 65535, not "x"'],
    ['app-1:2888:3888;a:b:1', '"a:b:1" is not [clientHost:]clientPort'],
    ['0.0.0.0:2888:3888', 'no server can be reached at 0.0.0.0'],
    ['::1:2888:3888', 'an IPv6 address goes into brackets'],
    ['a:1:2|b:1:2', 'several addresses of one server are not there'],
    [7, 'it is not a text'],
  ])('%j is refused by the part that is wrong', (given, what) => {
    expect(() => parseServerLine(given, 'servers[1]')).toThrow(what)
    expect(() => parseServerLine(given, 'servers[1]')).toThrow('servers[1] must be host:peerPort:electionPort')
  })
})

describe('the options of a server with a myid', () => {
  const servers = { 1: 'a:1:2', 2: 'b:1:2;3', 3: 'c:1:2:observer' }
  it.each<[string, object]>([
    ['servers must have a text for myid 4; it has 1, 2, 3', { myid: 4, servers }],
    ['myid must be a whole number from 1 to 254', { myid: 0, servers }],
    ['myid must be a number, got undefined', { servers }],
    ['servers must be a record such as', { myid: 1, servers: 3 }],
    ['a key of servers must be a myid from 1 to 254, got "one"', { myid: 1, servers: { one: 'a:1:2' } }],
    ['servers must have one that votes', { myid: 3, servers: { 3: 'c:1:2:observer' } }],
    ['a:1 is the peer port of server 1 and the peer port', { myid: 1, servers: { 1: 'a:1:2', 2: 'a:1:3' } }],
    ['a:3 is the client port of server 1 and the election port of server 2', {
      myid: 1,
      servers: { 1: 'a:1:2;3', 2: 'a:4:3' },
    }],
    ['clientPort is 4, and servers[2] says 3: give it once', { myid: 2, servers, clientPort: 4 }],
    ['observers is an option of an ensemble in one process', { myid: 1, servers, observers: 1 }],
    ['clientPorts is an option of an ensemble in one process', { myid: 1, servers, clientPorts: [1] }],
  ])('%s', (message, options) => {
    expect(() => memberSettingsOf(options as MemberOptions)).toThrow(message)
  })

  it('give the port for clients a host: the one of its text, then the option, then its own', () => {
    const at = (options: object): unknown => memberSettingsOf({ myid: 2, servers, ...options }).clientPort
    expect(at({})).toEqual({ host: 'b', port: 3 })
    expect(at({ clientPortAddress: '0.0.0.0' })).toEqual({ host: '0.0.0.0', port: 3 })
    expect(at({ clientPortAddress: '0.0.0.0', servers: { 2: 'b:1:2;b2:3' } })).toEqual({ host: 'b2', port: 3 })
    expect(at({ servers: { 2: 'b:1:2' } })).toBeNull()
  })
})
