/** The report of a run: one document for machines, and the same as tables for people. */
import { checkRun } from './checks.ts'
import type { Check } from './checks.ts'
import type { ElectionRecord, Happening } from './chronicle.ts'
import { parseLedger } from './ledger.ts'
import { euroCentsOf, formatAmount, priceOf } from './pricing.ts'
import type { Pricing } from './pricing.ts'
import { serviceGaps } from './run-record.ts'
import type { RunRecord, ServiceGaps } from './run-record.ts'
import { textTable } from './text-table.ts'

/** The figures of one worker. */
export interface WorkerRow {
  readonly worker: string
  readonly session: string
  readonly jobs: number
  /** Jobs by the version of the configuration, in the order of publication. */
  readonly byVersion: readonly number[]
  readonly euroCents: number
  readonly end: string
}

/** One job at both prices. */
export interface PriceRow {
  readonly customer: string
  readonly job: string
  readonly currency: string
  readonly list: number
  /** Its total by each version. */
  readonly totals: readonly number[]
  /** Index of the version that it was charged by. */
  readonly charged: number
}

/** One server at the end. */
export interface ServerRow {
  readonly server: number
  readonly role: string
  readonly epoch: number
  readonly zxid: string
  readonly nodes: number
}

/** The whole document; it is JSON as it is. */
export interface Report {
  readonly ok: boolean
  readonly durationMs: number
  readonly checks: readonly Check[]
  readonly timeline: readonly Happening[]
  readonly workers: readonly WorkerRow[]
  readonly prices: readonly PriceRow[]
  readonly elections: readonly ElectionRecord[]
  readonly servers: readonly ServerRow[]
  /** Time without service: at the outage, and the longest otherwise. */
  readonly service: ServiceGaps
  /** Why elections and servers are left out; null if they are not. */
  readonly leftOut: string | null
}

const CENTS_PER_EURO = 100

/** Makes the document. */
export function reportOf(run: RunRecord): Report {
  const checks = checkRun(run)
  return {
    ok: checks.every(({ ok }) => ok !== false),
    durationMs: run.durationMs,
    checks,
    timeline: run.happenings,
    workers: workerRows(run),
    prices: priceRows(run),
    elections: run.elections,
    servers: run.servers.map(({ myid: server, role, epoch, zxid, nodes }) => {
      return { server, role, epoch, zxid: `0x${zxid.toString(16)}`, nodes }
    }),
    service: serviceGaps(run),
    leftOut: run.leftOut,
  }
}

/** Makes the tables; no line is longer than 100 columns. */
export function textOf(report: Report, pricings: readonly Pricing[]): string {
  const labels = pricings.map(({ label }) => label)
  return [
    section('What happened', textTable(['>ms', 'event'], report.timeline.map(({ atMs, what }) => [whole(atMs), what]))),
    section('Who did what', workerTable(report.workers, labels)),
    section('Prices before and after the change (* is what was charged)', priceTable(report.prices, pricings)),
    section('Elections: how each server voted in the end', leftOutOr(report, electionTable(report.elections))),
    section('The servers at the end', leftOutOr(report, serverTable(report.servers))),
    section('Is it so?', textTable(['', 'check, and what was found'], report.checks.flatMap(checkRows))),
    summary(report),
  ].join('\n\n')
}

function workerRows({ ledger, workers, pricings }: RunRecord): WorkerRow[] {
  const entries = parseLedger(ledger)
  const versions = [...pricings.keys()]
  return workers.map(({ name, sessions, lost }) => {
    const own = entries.filter(({ worker }) => worker === name)
    const cents = own.map(({ total, currency, version }) => {
      const pricing = pricings.get(version)
      return pricing === undefined ? 0 : euroCentsOf(total, currency, pricing)
    })
    return {
      worker: name,
      session: `0x${sessions[0]}`,
      jobs: own.length,
      byVersion: versions.map((version) => own.filter((entry) => entry.version === version).length),
      euroCents: cents.reduce((sum, amount) => sum + amount, 0),
      end: lost === null ? 'no job was left' : `lease lost: ${lost.reason}`,
    }
  })
}

/** For each tier a job from before the change and one of the same country from after it; each at both prices. */
function priceRows({ ledger, jobs, pricings }: RunRecord): PriceRow[] {
  const versions = [...pricings.keys()]
  const entries = parseLedger(ledger).flatMap(({ job, version, currency }) => {
    const invoice = jobs.find(({ id }) => id === job)
    return invoice === undefined ? [] : [{ invoice, currency, charged: versions.indexOf(version) }]
  })
  const rowOf = ({ invoice, currency, charged }: (typeof entries)[number]): PriceRow => {
    const prices = [...pricings.values()].map((pricing) => priceOf(invoice, pricing))
    const customer = `${invoice.customer.tier} ${invoice.customer.country}`
    const totals = prices.map(({ total }) => total)
    return { customer, job: invoice.id, currency, list: prices[0]?.list ?? 0, totals, charged }
  }
  return [...new Set(jobs.map(({ customer }) => customer.tier))].sort().flatMap((tier) => {
    const own = entries.filter(({ invoice }) => invoice.customer.tier === tier)
    for (const before of own.filter(({ charged }) => charged === 0)) {
      const { country } = before.invoice.customer
      const after = own.find(({ charged, invoice }) => charged === 1 && invoice.customer.country === country)
      if (after !== undefined) return [rowOf(before), rowOf(after)]
    }
    return []
  })
}

function workerTable(rows: readonly WorkerRow[], labels: readonly string[]): string {
  const total = (of: (row: WorkerRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0)
  return textTable(
    ['worker', 'session', '>jobs', ...labels.map((label) => `>${label}`), '>total in EUR', 'it ended because'],
    [
      ...rows.map(({ worker, session, jobs, byVersion, euroCents, end }) => {
        return [worker, session, String(jobs), ...byVersion.map(String), euros(euroCents), end]
      }),
      [
        'all',
        '',
        String(total(({ jobs }) => jobs)),
        ...labels.map((_, i) => String(total(({ byVersion }) => byVersion[i] ?? 0))),
        euros(total(({ euroCents }) => euroCents)),
        '',
      ],
    ],
  )
}

function priceTable(rows: readonly PriceRow[], pricings: readonly Pricing[]): string {
  const [pricing] = pricings
  if (pricing === undefined) return ''
  return textTable(
    ['customer', 'job', '>list price', ...pricings.map(({ label }) => `>${label}  `)],
    rows.map(({ customer, job, currency, list, totals, charged }) => [
      customer,
      job,
      formatAmount(list, currency, pricing),
      ...totals.map((total, i) => `${formatAmount(total, currency, pricing)} ${i === charged ? '*' : ' '}`),
    ]),
  )
}

function electionTable(rows: readonly ElectionRecord[]): string {
  return textTable(
    ['>ms', '>round', 'server', 'votes for', '>of epoch', '>at zxid', 'with the votes of'],
    rows.map(({ atMs, round, server, votedFor, peerEpoch, zxid, supporters }) => [
      whole(atMs),
      String(round),
      String(server),
      String(votedFor),
      String(peerEpoch),
      zxid,
      supporters.join(', '),
    ]),
  )
}

function serverTable(rows: readonly ServerRow[]): string {
  return textTable(
    ['server', 'role', '>epoch', '>last zxid', '>nodes'],
    rows.map(({ server, role, epoch, zxid, nodes }) => {
      return [String(server), role.toLowerCase(), String(epoch), zxid, String(nodes)]
    }),
  )
}

function leftOutOr({ leftOut }: Report, table: string): string {
  return leftOut === null ? table : textTable(['left out'], [[leftOut]])
}

function checkRows({ ok, name, found }: Check): string[][] {
  return [
    [ok === null ? 'left out' : ok ? 'ok' : 'FAILED', name],
    ['', `  ${found}`],
  ]
}

function summary({ ok, checks, service, durationMs }: Report): string {
  const made = checks.filter((check) => check.ok !== null)
  const passed = made.filter((check) => check.ok).length
  const leftOut = checks.length === made.length ? '' : ` ${checks.length - made.length} are left out.`
  return [
    `Time without service at the outage: ${whole(service.atOutageMs)} ms (of ${whole(durationMs)} ms in all).`,
    `${passed} of ${made.length} checks are ok.${leftOut}${ok ? '' : ' SOMETHING IS WRONG.'}`,
  ].join('\n')
}

function section(title: string, body: string): string {
  return `${title}\n\n${body}`
}

function whole(value: number): string {
  return String(Math.round(value))
}

function euros(cents: number): string {
  return (cents / CENTS_PER_EURO).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}
