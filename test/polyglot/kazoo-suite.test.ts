import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { reasonToSkip, scratchFolder } from '../engines/process.ts'
import { jaasOfServer } from '../support/jaas.ts'
import { PROGRAM_TEST_MS_MAX, hasKazoo, hasPureSasl, python, run } from './programs.ts'
import { startServers } from './servers.ts'

const TESTS = '/usr/lib/python3/dist-packages/kazoo/tests'

/** The modules of kazoo's tests that ask a server, as they are run beside each other. */
const MODULES: readonly (readonly string[])[] = [
  ['client'],
  ['lock', 'watchers', 'security', 'hosts', 'exceptions'],
  ['connection', 'election', 'lease', 'counter', 'party'],
  ['barrier', 'cache', 'partitioner', 'queue', 'interrupt', 'retry', 'utils', 'paths'],
]

/** Fewer tests than any of these has: kazoo was not found, or its tests were not. */
const MODULE_TESTS_MIN = 20
/** Test classes that are left out, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'client.TestReconfig': 'an ensemble is not reconfigured: see docs/protocol/differences.md',
  'connection.TestReadOnlyMode': 'it reads with a session of the ensemble, as before 3.7: see read-only.test.ts',
}
/** Tests that kazoo itself skips here. */
const SKIPPED = ['cache.KazooTreeCacheTests.test_close', 'cache.KazooTreeCacheTests.test_delete_operation']

const skip = reasonToSkip("kazoo's tests", hasKazoo && existsSync(TESTS))

describe.skipIf(skip !== null)(`kazoo's own tests${skip === null ? '' : ` (${skip})`}`, {
  timeout: PROGRAM_TEST_MS_MAX, concurrent: true,
}, () => {
  it.each(MODULES)('pass on our servers: %s', async (...modules) => {
    await using servers = await startServers(3)
    const leftOut = Object.keys(LEFT_OUT).map((name) => `-${name}`)
    const results = await run(python('kazoo_suite.py'), [servers.addresses, ...modules, ...leftOut], servers.asks)
    const isExpected = (line: string): boolean => line === 'passed' || SKIPPED.some((name) => line.includes(name))
    expect(results.filter((line) => !isExpected(line))).toEqual([])
    expect(results.length).toBeGreaterThan(MODULE_TESTS_MIN)
  })

  const noSasl = reasonToSkip('pure-sasl', hasPureSasl)
  it.skipIf(noSasl !== null)(`of SASL pass on our servers with its users${noSasl ?? ''}`, async () => {
    const folder = scratchFolder('kazoo-sasl')
    const jaasFile = join(folder.path, 'jaas.conf')
    writeFileSync(jaasFile, jaasOfServer({ jaasuser: 'jaas_password', super_secret: 'admin' }))
    try {
      await using servers = await startServers(1, { sasl: { jaasFile } })
      const results = await run(python('kazoo_suite.py'), [servers.addresses, 'sasl', '-sasl.TestSASLGSSAPI'])
      expect(results).toEqual(['passed', 'passed', 'passed', 'passed'])
    } finally {
      folder.remove()
    }
  })
})
