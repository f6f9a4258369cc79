/** Clients of the field that come by TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../src/backends/embedded/index.ts'
import { reasonToSkip } from '../engines/process.ts'
import { authority } from '../support/certificates.ts'
import { PROGRAM_TEST_MS_MAX, hasKazoo, python, run } from './programs.ts'

const ca = authority('polyglot')
const skip = reasonToSkip('kazoo', hasKazoo)
let folder: string
let ensemble: Ensemble

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quorate-polyglot-tls-'))
  const server = ca.issue({ hosts: ['localhost', '127.0.0.1'] })
  const files = { 'server.pem': server.keyStore, 'ca.pem': ca.certificate }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  for (const name of ['alice', 'bob']) {
    const { key, certificate } = ca.issue({ subject: [['O', 'Example'], ['CN', name]] })
    writeFileSync(join(folder, `${name}.key`), key)
    writeFileSync(join(folder, `${name}.crt`), certificate)
  }
  const clientTls = { keyStore: join(folder, 'server.pem'), trustStore: join(folder, 'ca.pem') }
  ensemble = embedded({ servers: 1, secureClientPorts: [0], clientTls })
  await ensemble.start()
})
afterAll(async () => {
  await ensemble.close()
  rmSync(folder, { recursive: true, force: true })
})

it.skipIf(skip !== null)(`kazoo comes by TLS${skip === null ? '' : ` (${skip})`}`, async () => {
  const address = `localhost:${ensemble.secureClientPorts[0]}`
  const works = await run(python('kazoo_tls.py'), [address, folder, 'CN=alice,O=Example'])
  expect(works).toEqual(['connects', 'is known by its certificate'])
}, PROGRAM_TEST_MS_MAX)
