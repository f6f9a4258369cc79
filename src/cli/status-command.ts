/**
 * `quorate status`: where the servers of an ensemble stand, ours or ZooKeeper's, as a table or as JSON.
 *
 * Source    their four-letter words: `srvr`, which a server answers by default; `mntr` and `dirs` where they are
 *           enabled.
 */
import { parseArgs } from 'node:util'
import { textOf } from '../backends/client/server-address.ts'
import type { ServerAddress } from '../backends/client/server-address.ts'
import { delay } from '../core/async.ts'
import { askWord } from '../dashboard/servers/ask-word.ts'
import { ExitStatus, UsageError } from './exit-status.ts'
import { jsonLine } from './output.ts'
import type { Output } from './output.ts'
import { failedRow, rowOf, withLags } from '../dashboard/servers/server-row.ts'
import type { ServerRow } from '../dashboard/servers/server-row.ts'
import { visibleLine } from './visible.ts'

const LIMIT_MS = 3_000
const MS_PER_SECOND = 1_000
const WATCH_SECONDS_MAX = 86_400
const PORT_MAX = 65_535
const ADDRESS = /^(\[[\w:.%]+\]|[\w.-]+):(\d{1,5})$/
const DIRS = /^datadir_size: (\d{1,15})\nlogdir_size: (\d{1,15})$/m
const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const
/** Stands for what a server does not tell. */
const UNTOLD = '-'
const HEADS =
  ['SERVER', 'ROLE', 'EPOCH', 'ZXID', 'LAG', 'SESSIONS', 'CLIENTS', 'LATENCY', 'NODES', 'DISK', 'VERSION'] as const

const USAGE = `usage: quorate status host:port[,host:port...] [options]
Where the servers of an ensemble stand, ours or ZooKeeper's: role, epoch, zxid, how many writes they are behind the
most advanced, sessions, clients, latency (min/avg/max in ms), nodes, size of its files and version. A follower or
observer of ZooKeeper shows the epoch of an earlier leader until the first write.
${UNTOLD} is what a server does not tell: sessions need mntr in its 4lw.commands.whitelist, the size needs dirs.
options:
  --json             a line of JSON
  --watch SECONDS    again and again, with so long a pause
  --help
exit status: 0 if a leader or a server on its own serves, 1 if not, 2 not understood`

/** A server's state, with the bytes of its snapshots and logs; null if it does not tell them. */
interface StatusRow extends ServerRow {
  readonly diskBytes: number | null
}

interface StatusArguments {
  readonly addresses: readonly ServerAddress[]
  readonly json: boolean
  readonly pauseMs: number | null
}

/**
 * Tells it once, or until a signal comes.
 *
 * @param args - after `status`
 * @param stop - aborted by the signal
 * @returns the exit status
 * @throws UsageError for wrong arguments
 */
export async function runStatus(args: readonly string[], output: Output, stop: AbortSignal): Promise<number> {
  const given = readArguments(args)
  if (given === null) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const { addresses, json, pauseMs } = given
  for (let round = 0; ; round++) {
    const rows = withLags(await Promise.all(addresses.map((address) => ask(address, stop))))
    const serves = rows.some(({ role }) => role === 'leader' || role === 'standalone')
    const status = serves ? ExitStatus.ok : ExitStatus.failure
    // The answers that a signal cut short are none.
    if (stop.aborted) return status
    output.out(json ? jsonLine({ serves, servers: rows }) : `${round === 0 ? '' : '\n'}${tableOf(rows)}`)
    if (pauseMs === null) return status
    await delay(pauseMs, stop).catch(() => undefined)
    if (stop.aborted) return status
  }
}

async function ask(address: ServerAddress, stop: AbortSignal): Promise<StatusRow> {
  const server = textOf(address)
  const [monitor, dirs] = ['mntr', 'dirs'].map((word) => askWord(address, word, LIMIT_MS, stop).catch(() => ''))
  try {
    const row = rowOf(server, await askWord(address, 'srvr', LIMIT_MS, stop), (await monitor) ?? '')
    return { ...row, diskBytes: row.error === null ? diskBytesOf((await dirs) ?? '') : null }
  } catch (error) {
    return { ...failedRow(server, error instanceof Error ? error.message : String(error)), diskBytes: null }
  }
}

/** The bytes of an answer to `dirs`, which may be anything. Of one directory for both, the size is told twice. */
function diskBytesOf(dirs: string): number | null {
  const [, data, log] = DIRS.exec(dirs) ?? []
  if (data === undefined || log === undefined) return null
  return data === log ? Number(data) : Number(data) + Number(log)
}

/** Bytes as people read them. */
function sizeOf(bytes: number | null): string | null {
  if (bytes === null) return null
  const step = SIZE_UNITS.findIndex((_, index) => bytes < 1_000 ** (index + 1))
  const unit = step === -1 ? SIZE_UNITS.length - 1 : step
  const size = bytes / 1_000 ** unit
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${SIZE_UNITS[unit]}`
}

/** Control characters in texts of servers are made visible: the servers may be anybody's. */
function tableOf(rows: readonly StatusRow[]): string {
  const lines = [HEADS, ...rows.map(cellsOf)]
  const widths = HEADS.map((_, column) => {
    return Math.max(...lines.filter((line) => line.length === HEADS.length).map((line) => (line[column] ?? '').length))
  })
  widths[0] = Math.max(...lines.map(([server]) => (server ?? '').length))
  return lines.map((line) => {
    return `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`
  }).join('')
}

function cellsOf(row: StatusRow): readonly string[] {
  if (row.error !== null) return [row.server, visibleLine(row.error)]
  const { role, epoch, zxid, lag, sessions, connections, latencyMs, nodes, diskBytes, version } = row
  const latency = latencyMs === null ? null : `${latencyMs.min}/${latencyMs.avg}/${latencyMs.max}`
  const place = [role, epoch, zxid, lag ?? 'older epoch']
  const told = [...place, sessions, connections, latency, nodes, sizeOf(diskBytes), version]
  return [row.server, ...told.map((value) => (value === null ? UNTOLD : visibleLine(String(value))))]
}

function readArguments(args: readonly string[]): StatusArguments | null {
  const { values, positionals } = parsed(args)
  if (values.help === true) return null
  if (positionals.length !== 1) {
    throw new UsageError(`status needs host:port[,host:port...], got ${JSON.stringify(positionals.join(' '))}`)
  }
  return {
    addresses: positionals.flatMap((list) => list.split(',')).map(addressOf),
    json: values.json === true,
    pauseMs: values.watch === undefined ? null : secondsOf(values.watch) * MS_PER_SECOND,
  }
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: { json: { type: 'boolean' }, watch: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    throw new UsageError(`${line}; quorate status --help tells more`)
  }
}

function addressOf(text: string): ServerAddress {
  const [, host = '', port = ''] = ADDRESS.exec(text) ?? []
  if (host !== '' && Number(port) >= 1 && Number(port) <= PORT_MAX) {
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
  }
  throw new UsageError(`a server must be host:port, such as 127.0.0.1:2181, got ${JSON.stringify(text)}`)
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (/^\d+(?:\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= WATCH_SECONDS_MAX) return seconds
  throw new UsageError(`--watch must be seconds from 0.1 to ${WATCH_SECONDS_MAX}, got ${JSON.stringify(text)}`)
}
