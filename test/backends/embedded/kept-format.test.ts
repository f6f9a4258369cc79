/** Data directories that earlier builds have made, as this one reads them; and what it says of later ones. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble } from '../../../src/backends/embedded/index.ts'
import { CreateFlag, Err, OpCode } from '../../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { RawClient } from './host/clients/raw-client.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url))
const VERSIONS = readdirSync(FIXTURES).filter((name) => name.startsWith('quorate-'))
/** Where the version stands in the header of a log and of a snapshot. */
const VERSION_AT = 4

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** A copy of the directory, as it was. */
function copyOf(version: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-kept-'))
  cleanUps.push(() => {
    rmSync(folder, { recursive: true })
  })
  cpSync(join(FIXTURES, version, 'alone/version-2'), join(folder, 'version-2'), { recursive: true })
  for (const name of filesOf(folder, 'log.')) {
    const path = join(folder, 'version-2', name)
    writeFileSync(path.slice(0, -'.gz'.length), gunzipSync(readFileSync(path)))
    rmSync(path)
  }
  return folder
}

function filesOf(folder: string, prefix: string): string[] {
  return readdirSync(join(folder, 'version-2')).filter((name) => name.startsWith(prefix)).sort()
}

/** Makes files of these names look as if a later build had written them. */
function writeLaterVersion(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const path = join(folder, 'version-2', name)
    const bytes = readFileSync(path)
    bytes.writeInt32BE(99, VERSION_AT)
    writeFileSync(path, bytes)
  }
}

function serverOf(dataDir: string): Ensemble {
  const ensemble = embedded({ servers: 1, dataDir, clientPorts: [0], sessionTimeoutMs: 30_000 })
  cleanUps.push(() => ensemble.close())
  return ensemble
}

describe.each(VERSIONS)('the data directory of %s', (version) => {
  it('is read by this build: nodes, sessions, secrets, promises', async () => {
    const { id, password } = JSON.parse(readFileSync(join(FIXTURES, version, 'alone/session.json'), 'utf8')) as {
      readonly id: string
      readonly password: string
    }
    const ensemble = serverOf(copyOf(version))
    const damages: unknown[] = []
    ensemble.onEvent(({ event }) => {
      if (event.type === 'damaged') damages.push(event.error)
    })
    await ensemble.start()
    const port = ensemble.clientPorts[0] ?? 0
    const session = { sessionId: BigInt(id), timeOut: 60_000 }
    const thief = await RawClient.open(port, { ...session, passwd: new Uint8Array(16) })
    expect(thief.session.timeOut).toBe(0)
    const client = await RawClient.open(port, { ...session, passwd: Buffer.from(password, 'base64') })
    cleanUps.push(() => client.drop())
    expect(client.session).toMatchObject({ sessionId: BigInt(id), timeOut: 60_000 })

    const textAt = async (path: string) => {
      const { err, body } = await client.ask(OpCode.getData, { path, watch: false })
      return err === Err.ok ? Buffer.from((body as { data: Uint8Array }).data).toString() : err
    }
    expect(await textAt('/app')).toBe('second')
    expect(await textAt('/app/config')).toBe('{"on":false}')
    expect(await textAt('/app/mine')).toBe('held')
    expect(await textAt('/app/seq-0000000040')).toBe('39')
    expect(await textAt('/app/seq-0000000002')).toBe(Err.noNode)
    expect(await textAt('/private')).toBe(Err.noAuth)
    await client.ask(OpCode.auth, { type: 0, scheme: 'digest', auth: Buffer.from('ann:secret') })
    expect(await textAt('/private')).toBe('hidden')

    const flags = CreateFlag.persistentSequential
    const { body } = await client.ask(OpCode.create, { path: '/app/seq-', data: null, acl: OPEN_ACL, flags })
    expect(body).toEqual({ path: '/app/seq-0000000042' })
    const mine = await client.ask(OpCode.exists, { path: '/app/mine', watch: false })
    expect(mine.body).toMatchObject({ stat: { ephemeralOwner: BigInt(id), version: 0 } })
    expect(ensemble.status()[0]).toMatchObject({ epoch: 2 })
    expect(damages).toEqual([])
  })

  it.each(['log.', 'snapshot.'])('is refused by name where it is of a later form: %s', async (prefix) => {
    const folder = copyOf(version)
    writeLaterVersion(folder, filesOf(folder, prefix))
    await expect(serverOf(folder).start()).rejects.toThrow(/version 99 of the format, where this release reads 2/)
  })
})
