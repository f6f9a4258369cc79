import { existsSync, readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDirectory } from '../../../src/backends/embedded/host/storage/directory-lock.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { LOG_HEADER, encodeLogRecord } from '../../../src/backends/wire/disk/log-file.ts'
import { OPEN_ACL } from '../../../src/backends/wire/records.ts'
import { encodeTransaction } from '../../../src/backends/wire/transactions.ts'
import type { TxnBody } from '../../../src/backends/wire/transactions.ts'
import { LOGS, golden, scan, toolkitDump } from '../../backends/wire/disk/golden.ts'
import { Folder, run, values } from './tool-rig.ts'

let folder: Folder

beforeEach(() => {
  folder = new Folder()
})

afterEach(() => {
  folder.remove()
})

const SESSION = 0x1000000000000001n
const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 6)
const PASSWORD = Buffer.from('sixteen-secrets!')
const node = { acl: OPEN_ACL, ephemeral: false, parentCVersion: 1 }

function recordOf(zxid: number, txn: TxnBody): Uint8Array {
  const header = { clientId: SESSION, cxid: zxid, zxid: BigInt(zxid), time: TIME, type: txn.type }
  return encodeLogRecord(encodeTransaction({ header, txn }), null)
}

const RECORDS: readonly Uint8Array[] = [
  recordOf(1, { type: OpCode.createSession, body: { timeOut: 30_000, passwd: PASSWORD } }),
  recordOf(2, { type: OpCode.create, body: { ...node, path: '/a\u001b[2J\nb', data: Buffer.from('hush') } }),
  recordOf(3, { type: OpCode.create2, body: { ...node, path: '/e', data: null, ephemeral: true } }),
  recordOf(4, {
    type: OpCode.multi,
    body: [
      { type: OpCode.setData, body: { path: '/e', data: Buffer.from('x'), version: 1 } },
      { type: OpCode.delete, body: { path: '/gone' } },
    ],
  }),
  recordOf(5, { type: OpCode.error, body: { err: -110 } }),
  recordOf(6, { type: OpCode.closeSession, body: { paths2Delete: ['/e'] } }),
]
const ROOM = new Uint8Array(4_096)

const logOf = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat([LOG_HEADER, ...parts]))
const whole = logOf(...RECORDS, ROOM)
const lengthOf = (count: number): number => logOf(...RECORDS.slice(0, count)).length

describe('quorate log', () => {
  it('prints a line per record, and no data, no password and nothing that moves a cursor', async () => {
    const file = folder.write('log.1', whole)
    const { status, out, err } = await run('log', file)
    const start = (zxid: number): string => `0x${zxid}  2026-01-02T03:04:05.006Z  0x1000000000000001  ${zxid}  `
    expect(out.split('\n')).toEqual([
      `${start(1)}createSession  time-out 30000 ms`,
      `${start(2)}create  /a\\x1b[2J\\nb  4 bytes`,
      `${start(3)}create2  /e  ephemeral  no data`,
      `${start(4)}multi  (setData /e version 1 1 byte)  (delete /gone)`,
      `${start(5)}error  -110`,
      `${start(6)}closeSession  /e`,
      '',
    ])
    expect([status, err]).toEqual([0, `${file}: 6 records, sound\n`])
    expect((await run('log', file, '--json')).out).not.toMatch(/hush|sixteen|c2l4/)
  })

  it('shows data where they are asked for', async () => {
    const file = folder.write('log.1', logOf(
      recordOf(1, { type: OpCode.setData, body: { path: '/a', data: Buffer.from('a\nb'), version: 3 } }),
      recordOf(2, { type: OpCode.setData, body: { path: '/a', data: Uint8Array.of(0xff), version: 4 } }),
    ))
    const lines = (await run('log', file, '--data')).out.split('\n')
    expect(lines[0]).toMatch(/setData {2}\/a {2}version 3 {2}3 bytes {2}"a\\nb"$/)
    expect(lines[1]).toMatch(/version 4 {2}1 byte {2}base64 \/w==$/)
    const [first, second] = values((await run('log', file, '--data', '--json')).out)
    expect(first).toMatchObject({ zxid: '0x1', type: 'setData', path: '/a', version: 3, dataLength: 3, data: 'a\nb' })
    expect(second).toMatchObject({ data: '/w==', encoding: 'base64' })
  })

  it.each(LOGS.map((log) => [`${log.directory}/${log.name}`, log] as const))(
    'lists what the tool of a real ZooKeeper lists in %s',
    async (_, log) => {
      const lines = values((await run('log', folder.write(log.name, log.bytes), '--json')).out)
      const listed = lines.slice(0, -1).flatMap(({ zxid, session, cxid }) => {
        return typeof zxid === 'string' ? [`${String(session)} ${String(cxid)} ${zxid}`] : []
      })
      const dump = [...toolkitDump(log).matchAll(/session (0x\w+) cxid (0x\w+) zxid (0x\w+)/g)]
      expect(listed).toEqual(dump.map(([, session = '', cxid = '', zxid = '']) => {
        return `${session} ${Number(cxid) | 0} ${zxid}`
      }))
      expect(lines.at(-1)).toMatchObject({ state: scan(log.bytes).verdict.state, records: dump.length })
    },
  )

  it('says where transactions are missing, as after a snapshot from a leader', async () => {
    const file = folder.write('log.1', logOf(RECORDS[0] as Uint8Array, RECORDS[4] as Uint8Array))
    expect((await run('log', file)).out.split('\n')[1]).toBe('no transactions between 0x1 and 0x5')
    expect(values((await run('log', file, '--json')).out)[1]).toEqual({ missing: { after: '0x1', before: '0x5' } })
  })

  it('ends with 3 if the last record is incomplete, and changes nothing', async () => {
    const torn = whole.slice(0, lengthOf(6) - 9)
    const file = folder.write('log.1', torn)
    const { status, err } = await run('log', file)
    const where = `at byte ${lengthOf(5)}: the last record is incomplete, as a crash leaves it`
    expect([status, err]).toEqual([3, `${file}: 5 records, then ${where}\n`])
    expect(new Uint8Array(readFileSync(file))).toEqual(torn)
  })

  it('ends with 4 if a record in the middle is damaged, and never repairs that', async () => {
    const damaged = whole.slice()
    damaged[lengthOf(2) + 20] = 0xee
    const file = folder.write('log.1', damaged)
    for (const args of [[], ['--repair']]) {
      const { status, err } = await run('log', file, ...args)
      expect(status).toBe(4)
      expect(err).toContain(`${file}: at byte ${lengthOf(2)}: the checksum of a record is wrong (after 2 records)\n`)
    }
    expect(new Uint8Array(readFileSync(file))).toEqual(damaged)
    expect(values((await run('log', file, '--json')).out).at(-1)).toMatchObject({ state: 'damaged', kind: 'checksum' })
  })

  it('never loses a whole record to a repair, wherever a log was cut', async () => {
    for (let length = LOG_HEADER.length + 1; length < lengthOf(6); length += 7) {
      const file = folder.write('log.1', logOf(...RECORDS).slice(0, length))
      const complete = RECORDS.findLastIndex((_, index) => lengthOf(index + 1) - 1 <= length) + 1
      expect((await run('log', file, '--repair')).status).toBe(0)
      const { records, verdict } = scan(new Uint8Array(readFileSync(file)))
      expect([records.length, verdict.state, length]).toEqual([complete, 'clean', length])
    }
  })

  it('says what it cuts off before it does, and gives a record its end mark', async () => {
    const file = folder.write('log.1', logOf(...RECORDS).slice(0, -1))
    const { status, err } = await run('log', file, '--repair')
    expect(status).toBe(0)
    const what = 'writing the missing end mark of the last record'
    expect(err).toContain(`${file}: ${what}, at byte ${lengthOf(6) - 1} of ${lengthOf(6) - 1}\n${file}: done\n`)
    expect(new Uint8Array(readFileSync(file))).toEqual(logOf(...RECORDS))
  })

  it('removes a log without a record, as a start does', async () => {
    const file = folder.write('log.1', LOG_HEADER.slice(0, 5))
    expect((await run('log', file, '--repair')).err).toContain(`${file}: holds no record; removing it\n`)
    expect(existsSync(file)).toBe(false)
  })

  it.each(['data', 'data/2'])('repairs nothing while a server uses the directory (%s)', async (own) => {
    const torn = whole.slice(0, lengthOf(6) - 9)
    const file = folder.write(`${own}/version-2/log.1`, torn)
    const unlock = await lockDirectory(folder.at('data'))
    const { status, err } = await run('log', file, '--repair')
    expect([status, err]).toEqual([1, `${folder.at('data')} is used by this process: stop it first\n`])
    expect(new Uint8Array(readFileSync(file))).toEqual(torn)
    await unlock()
    expect((await run('log', file, '--repair')).status).toBe(0)
    expect(existsSync(folder.at(`${own}/quorate.lock`))).toBe(false)
  })

  it('refuses what is no log, with what was probably meant', async () => {
    const log = folder.write('data/version-2/log.1', whole)
    folder.write('data/version-2/log.0', whole)
    const snapshot = folder.write('snapshot.0', golden('rolling', 'snapshot.0').bytes)
    const data = folder.at('data')
    const failed = (err: string) => ({ status: 1, out: '', err: `${err}\n` })
    expect(await run('log', data)).toEqual(failed(`${data} is a directory: name one file, such as ${log}`))
    const empty = `${folder.path} is a directory: name one file; there is no log in it`
    expect(await run('log', folder.path)).toEqual(failed(empty))
    expect(await run('log', `${log}1`)).toEqual(failed(`cannot read ${log}1: there is no such file`))
    const named = `${snapshot} has the name of a snapshot: quorate snapshot reads it`
    expect(await run('log', snapshot)).toEqual(failed(named))
    const usage = { status: 2, out: '', err: 'log takes one file: quorate log FILE\n' }
    expect(await run('log')).toEqual(usage)
    expect(await run('log', log, log)).toEqual(usage)
    expect((await run('log', log, '--repiar')).err).toBe('log has no option --repiar; did you mean --repair?\n')
    expect(values((await run('log', data, '--json')).err)[0]).toMatchObject({ error: { code: 'FAILURE' } })
  })
})
