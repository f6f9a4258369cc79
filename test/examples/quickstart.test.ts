import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { runQuickstart, tell } from '../../examples/quickstart.ts'
import { checkRun } from '../../examples/quickstart/checks.ts'
import type { Entry } from '../../examples/quickstart/ledger.ts'
import { parseLedger } from '../../examples/quickstart/ledger.ts'
import type { Report } from '../../examples/quickstart/report.ts'
import type { RunRecord } from '../../examples/quickstart/run-record.ts'
import { recordingOf } from './recording.ts'

const COLUMNS_MAX = 100
/** Written with QUORATE_PICTURES=1. */
const RECORDING = fileURLToPath(new URL('../../docs/quickstart.svg', import.meta.url))

let run: RunRecord

beforeAll(async () => {
  run = await runQuickstart()
})

interface Told {
  readonly status: number
  readonly text: string
}

function told(record: RunRecord, ...args: string[]): Told {
  let text = ''
  const status = tell(record, args, (printed) => {
    text += printed
  })
  return { status, text }
}

type Change<T> = (value: T, index: number) => T

function withLedger(change: (entries: readonly Entry[]) => readonly Entry[]): RunRecord {
  const entries = change(parseLedger(run.ledger))
  return { ...run, ledger: entries.map((entry) => JSON.stringify(entry)).join('\n') }
}

const withEntries = (change: Change<Entry>): RunRecord => withLedger((entries) => entries.map(change))

/** The last entry is never the victim's. */
const withLastEntry = (change: Partial<Entry>): RunRecord =>
  withEntries((entry, index) => (index === run.jobs.length - 1 ? { ...entry, ...change } : entry))

function withVictim(change: { readonly reason?: string; readonly refusal?: string } | null): RunRecord {
  const workers = run.workers.map((worker) => {
    if (worker.lost === null) return worker
    return { ...worker, lost: change === null ? null : { ...worker.lost, ...change } }
  })
  return { ...run, workers }
}

const withVictimsJobDoneBy = (worker: string): RunRecord =>
  withEntries((entry) => (entry.job === run.killed.job ? { ...entry, worker } : entry))

const withServers = (change: Change<RunRecord['servers'][number]>): RunRecord =>
  ({ ...run, servers: run.servers.map(change) })

const withoutLeave = (): RunRecord => ({ ...run, groups: run.groups.filter(({ left }) => left.length === 0) })
const withoutPulse = (): RunRecord => ({ ...run, pulse: run.pulse.filter((atMs) => atMs < run.outage.atMs) })

/** A check, what is wrong, and a run that was tampered with in that one place. */
const RIGGED: readonly (readonly [check: string, what: string, rig: () => RunRecord])[] = [
  ['exactly once', 'a job is missing', () => withLedger((entries) => entries.slice(1))],
  ['exactly once', 'a job is there twice', () => withLedger((entries) => [...entries, ...entries.slice(-1)])],
  ['exactly once', 'a job is unknown', () => withLastEntry({ job: 'INV-0' })],
  ['tokens increase', 'entries are out of order', () => withLedger((entries) => [...entries].reverse())],
  ['tokens increase', 'a token is repeated', () => withEntries((entry) => ({ ...entry, token: '7' }))],
  ['each amount', 'a total is wrong by one', () => withEntries((entry) => ({ ...entry, total: entry.total + 1 }))],
  ['each amount', 'a version is unknown', () => withLastEntry({ version: 7 })],
  ['before and from after', 'a worker goes back', () => withLastEntry({ version: 0 })],
  ['before and from after', 'no price changed', () => withEntries((entry) => ({ ...entry, version: 0 }))],
  ['take the new prices', 'a worker has another session', () => withLastEntry({ session: '1' })],
  ['signal of its lease', 'the signal stays silent', () => withVictim({ reason: 'none' })],
  ['signal of its lease', 'no session was ended', () => ({ ...run, expired: new Set() })],
  ['sees it leave', 'nobody left', withoutLeave],
  ['go on to another', 'it did the job itself', () => withVictimsJobDoneBy(run.killed.worker)],
  ['refused by its token', 'it was let in', () => withVictim(null)],
  ['refused by its token', 'it was refused for something else', () => withVictim({ refusal: 'job-done' })],
  ['another leader is elected', 'nobody voted', () => ({ ...run, elections: [] })],
  ['another leader is elected', 'nobody led after it', () => ({ ...run, leaders: run.leaders.slice(0, 1) })],
  ['writes go on', 'there is no write after the crash', withoutPulse],
  ['comes back', 'a server is behind', () => withServers((server, i) => (i === 0 ? { ...server, zxid: 1n } : server))],
  ['comes back', 'the old leader leads again', () => withServers((server) => ({ ...server, role: 'LEADING' }))],
]

describe('the quickstart', () => {
  it('finds that all is so, and exits with 0', () => {
    expect(checkRun(run).filter(({ ok }) => !ok)).toEqual([])
    expect(told(run).status).toBe(0)
  })

  it('prints tables that fit into 100 columns, with every worker, election and check in them', () => {
    const { text } = told(run)
    expect(text.split('\n').filter((line) => line.length > COLUMNS_MAX)).toEqual([])
    for (const { name } of run.workers) expect(text).toContain(name)
    for (const { name } of checkRun(run)) expect(text).toContain(name)
    expect(run.elections.length).toBeGreaterThan(run.servers.length)
    for (const { zxid } of run.elections) expect(text).toContain(zxid)
  })

  it('prints one JSON document with --json', () => {
    const report = JSON.parse(told(run, '--json').text) as Report
    expect(report.ok).toBe(true)
    expect(report.workers.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(run.jobs.length)
    expect(new Set(report.prices.map(({ charged }) => charged))).toEqual(new Set([0, 1]))
    expect(report.service.atOutageMs).toBeGreaterThan(0)
  })

  it('tells in the order of time what happened', () => {
    const times = run.happenings.map(({ atMs }) => atMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times.length).toBeGreaterThan(0)
  })

  it.each(RIGGED)('fails the check "%s", and exits with 1, if %s', (check, _what, rig) => {
    const rigged = rig()
    const failed = checkRun(rigged).filter(({ ok }) => !ok)
    expect(failed.map(({ name }) => name).join('\n')).toContain(check)
    const { status, text } = told(rigged)
    expect(status).toBe(1)
    expect(text).toContain('FAILED')
  })
})

describe('the recording of the quickstart', () => {
  it('has each event at its time, and each check', () => {
    const { text } = told(run)
    const picture = recordingOf('npm run quickstart', text)
    if (process.env['QUORATE_PICTURES'] === '1') writeFileSync(RECORDING, picture)
    const crash = /^ *(\d+) {2}(server \d, which leads, crashes)$/m.exec(text)
    expect(picture).toMatch(new RegExp(`style="animation-delay:${crash?.[1] ?? ''}ms">.*${crash?.[2] ?? ''}</text>`))
    expect(picture.match(/<text class="line ok"/g)).toHaveLength(text.match(/^ {2}ok /gm)?.length ?? 0)
    expect(picture).not.toContain('NaN')
  })
})
