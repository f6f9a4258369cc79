/** Clients of the field that prove who they are by SASL: on ZooKeeper, and on ours. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import { findProgram, reasonToSkip, scratchFolder } from '../engines/process.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'
import { jaasOfClient, jaasOfServer } from '../support/jaas.ts'
import { PROGRAM_TEST_MS_MAX, hasJavaClient, hasKazoo, hasPureSasl, java, python, run } from './programs.ts'
import type { MeetingPlace } from './servers.ts'

/** As in kazoo's own tests. */
const [USER, PASSWORD] = ['jaasuser', 'jaas_password']
const SASL_PROVIDER = 'org.apache.zookeeper.server.auth.SASLAuthenticationProvider'
const noKazoo = reasonToSkip('kazoo with pure-sasl', hasKazoo && hasPureSasl)
const noJava = reasonToSkip('the Java client', hasJavaClient)

const folder = scratchFolder('polyglot-sasl')
const jaasFile = join(folder.path, 'server.conf')
const clientFile = join(folder.path, 'client.conf')
const wrongFile = join(folder.path, 'wrong.conf')

beforeAll(() => {
  writeFileSync(jaasFile, jaasOfServer({ [USER]: PASSWORD }))
  writeFileSync(clientFile, jaasOfClient(USER, PASSWORD))
  writeFileSync(wrongFile, jaasOfClient(USER, 'guess'))
})
afterAll(() => {
  folder.remove()
})

async function startOurs(requiredSchemes: readonly string[]): Promise<MeetingPlace> {
  const ensemble = embedded({ servers: 1, clientPorts: [0], sasl: { jaasFile }, requiredSchemes })
  await ensemble.start()
  return { connectString: `127.0.0.1:${ensemble.clientPorts[0]}`, stop: () => ensemble.close() }
}

async function startTheirs(requiredSchemes: readonly string[]): Promise<MeetingPlace> {
  const isRequired = requiredSchemes.length > 0
  return startZooKeeper({
    properties: {
      'java.security.auth.login.config': jaasFile,
      'zookeeper.authProvider.1': SASL_PROVIDER,
      ...(isRequired ? { 'zookeeper.sessionRequireClientSASLAuth': 'true' } : {}),
    },
  })
}

const KINDS = [
  { name: 'ZooKeeper', why: reasonToSkipZooKeeper(), start: startTheirs },
  { name: 'the embedded servers', why: findProgram('java') === null ? 'no java' : null, start: startOurs },
]

describe.each(KINDS)('with $name', ({ why, start }) => {
  const shown = (reason: string | null): string => (reason === null ? '' : ` (skipped: ${reason})`)

  it.skipIf((noKazoo ?? why) !== null)(`kazoo proves who it is${shown(noKazoo ?? why)}`, async () => {
    const place = await start([])
    try {
      expect(await run(python('kazoo_sasl.py'), [place.connectString, USER, PASSWORD])).toEqual([
        'connects by auth_data',
        'is refused by auth_data',
        'connects by sasl_options',
        'is refused by sasl_options',
        'is refused with a wrong password',
      ])
    } finally {
      await place.stop()
    }
  }, PROGRAM_TEST_MS_MAX)

  it.skipIf((noJava ?? why) !== null)(`the Java client proves who it is${shown(noJava ?? why)}`, async () => {
    const place = await start([])
    const withFile = (file: string): ReturnType<typeof java> => {
      const { program, args } = java('JavaSasl.java')
      return { program, args: [`-Djava.security.auth.login.config=${file}`, ...args] }
    }
    try {
      const works = await run(withFile(clientFile), [place.connectString, USER])
      expect(works).toEqual(['is authenticated', 'owns what it creates', 'is who it says'])
      const refused = await run(withFile(wrongFile), [place.connectString, 'refused'])
      expect(refused).toEqual(['is told that it failed', 'is not served'])
    } finally {
      await place.stop()
    }
  }, PROGRAM_TEST_MS_MAX)

  it.skipIf((noJava ?? why) !== null)(`and is told where it has to prove it${shown(noJava ?? why)}`, async () => {
    const place = await start(['sasl'])
    try {
      const refused = await run(java('JavaSasl.java'), [place.connectString, 'required'])
      expect(refused).toEqual(['is told that it has to prove who it is'])
    } finally {
      await place.stop()
    }
  }, PROGRAM_TEST_MS_MAX)
})
