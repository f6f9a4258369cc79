/** SECURITY.md, held to the defaults and limits of the servers that it tells. */
import { describe, expect, it } from 'vitest'
import { settingsOf } from '../../src/backends/embedded/options.ts'
import { CONNECTION_WATCHES_MAX } from '../../src/backends/embedded/server/watch-limits.ts'
import { page } from './documented.ts'

const MIB = 2 ** 20

describe('SECURITY.md', () => {
  const text = page('SECURITY.md')
  const { clients, limits, server } = settingsOf({})

  it('says which ports are open, where, and what they tell', () => {
    expect(clients.ports).toEqual([])
    expect(text).toContain('`embedded()` opens no port, unless `clientPorts` asks for some.')
    expect(text).toContain(`This machine, on ${clients.address}.`)
    expect([...clients.fourLetterWords]).toEqual(['srvr'])
    expect(text).toContain('`srvr` is answered; all others only if')
    expect(server.superDigest).toBeNull()
    expect(text).toContain('None, unless `superDigest` names one.')
  })

  it('says what the limits are', () => {
    const numbers = new Intl.NumberFormat('en')
    expect(text).toContain(`${limits.maxClientCnxns} connections per address`)
    expect(text).toContain(`${numbers.format(limits.globalOutstandingLimit)} requests that wait for an answer`)
    expect(text).toContain(`${numbers.format(clients.frameBytesMax)} bytes per request`)
    expect(text).toContain(`${server.responseBytesMax / MIB} MiB per answer`)
    expect(text).toContain(`${numbers.format(CONNECTION_WATCHES_MAX)} watches per connection`)
  })
})
