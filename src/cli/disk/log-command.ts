/**
 * `quorate log FILE`: prints and verifies a transaction log of ours or of a ZooKeeper, and cuts off a torn last record.
 *
 * Output    a line per record on standard output; how the log ends, on standard error. With `--json` the last line is
 *           the verdict.
 * Repair    does what a start does to the last log: only an incomplete last record goes, which was never acknowledged.
 *           The directory is locked meanwhile, so that no server of ours writes to the file.
 * Source    TxnLogToolkit of ZooKeeper 3.8, which also rewrites records whose checksum is wrong. This never does.
 */
import { basename, dirname, resolve } from 'node:path'
import { isLocked, lockDirectory } from '../../backends/embedded/host/storage/directory-lock.ts'
import { nodeFileSystem } from '../../backends/embedded/host/storage/node-file-system.ts'
import { LogScanner } from '../../backends/wire/disk/log-scanner.ts'
import type { LogRecord, LogVerdict } from '../../backends/wire/disk/log-scanner.ts'
import { takeOptions } from '../command-options.ts'
import { UsageError } from '../exit-status.ts'
import { jsonLine } from '../output.ts'
import type { Output } from '../output.ts'
import { hex } from '../shell/node-text.ts'
import { chunksOf, expectDataFile } from './data-file.ts'
import { FileStatus } from './file-statuses.ts'
import { recordText } from './record-text.ts'

const LOG_USAGE = `usage: quorate log FILE [options]
Prints a transaction log, a line per record: zxid, time, session, cxid, type, path, length of the data.
Then it says how the log ends.
options:
  --json      a JSON value on a line for each record, and one for the end
  --data      the data of nodes too
  --repair    cuts off an incomplete last record; the server must be stopped
  --help
exit status: 0 sound, 1 cannot be read, 2 not understood, 3 the last record is incomplete, 4 damaged
A log that a server is writing to can look incomplete: look again.`

const OPTIONS = {
  json: { type: 'boolean' },
  data: { type: 'boolean' },
  repair: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Torn = Extract<LogVerdict, { state: 'torn' }>

/**
 * Runs the command.
 *
 * @param args - after `log`
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if the file cannot be read
 */
export async function runLog(args: readonly string[], output: Output): Promise<number> {
  const { values, positionals } = takeOptions('log', args, OPTIONS)
  if (values.help === true) {
    output.out(`${LOG_USAGE}\n`)
    return FileStatus.sound
  }
  const [file] = positionals
  if (file === undefined || positionals.length > 1) throw new UsageError('log takes one file: quorate log FILE')
  await expectDataFile(file, 'log')
  const repairs = values.repair === true
  const unlock = repairs ? await lockAround(file) : null
  try {
    const { json = false, data = false } = values
    const { verdict, count } = await print(file, { json, data }, output)
    tell(file, verdict, count, json, output)
    if (verdict.state === 'damaged') {
      if (repairs) output.err(`${file}: nothing was changed: only an incomplete last record is cut off\n`)
      return FileStatus.damaged
    }
    if (verdict.state === 'clean') return FileStatus.sound
    if (!repairs) return FileStatus.torn
    await repair(file, verdict, output)
    return FileStatus.sound
  } finally {
    await unlock?.()
  }
}

async function print(
  file: string,
  { json, data }: { readonly json: boolean; readonly data: boolean },
  output: Output,
): Promise<{ readonly verdict: LogVerdict; readonly count: number }> {
  const scanner = new LogScanner(file)
  let last: bigint | null = null
  let count = 0
  for await (const chunk of chunksOf(file)) {
    const lines: string[] = []
    for (const record of scanner.push(chunk)) {
      if (!record.isContiguous && last !== null) lines.push(gapLine(last, record, json))
      const { text, json: value } = recordText(record, data)
      lines.push(json ? jsonLine(value) : text)
      last = record.zxid
      count += 1
    }
    if (lines.length > 0) output.out(lines.join(''))
  }
  return { verdict: scanner.end(), count }
}

/** Where a server got a snapshot from its leader, its log does not have what the snapshot holds. */
function gapLine(last: bigint, { zxid }: LogRecord, json: boolean): string {
  const [after, before] = [hex(last), hex(zxid)]
  return json ? jsonLine({ missing: { after, before } }) : `no transactions between ${after} and ${before}\n`
}

function tell(file: string, verdict: LogVerdict, count: number, json: boolean, output: Output): void {
  const records = `${count} ${count === 1 ? 'record' : 'records'}`
  const { state, offset } = verdict
  if (json) {
    const more =
      verdict.state === 'damaged'
        ? { kind: verdict.damage.kind, reason: verdict.damage.message, isLast: verdict.isLast }
        : verdict.state === 'torn'
          ? { reason: verdict.reason }
          : {}
    output.out(jsonLine({ state, records: count, offset, ...more }))
    return
  }
  switch (verdict.state) {
    case 'clean':
      output.err(`${file}: ${records}, sound\n`)
      return
    case 'torn':
      output.err(`${file}: ${records}, then at byte ${offset}: ${verdict.reason}, as a crash leaves it\n`)
      return
    case 'damaged':
      output.err(`${verdict.damage.message} (after ${records})\n`)
  }
}

/** Cuts the torn record off, durably. */
async function repair(file: string, { offset, append }: Torn, output: Output): Promise<void> {
  if (offset === 0) {
    output.err(`${file}: holds no record; removing it\n`)
    await nodeFileSystem.remove(file)
    await nodeFileSystem.syncDirectory(dirname(resolve(file)))
    return
  }
  const opened = await nodeFileSystem.open(file, 'write')
  try {
    const what = append.length > 0 ? 'writing the missing end mark of the last record' : 'cutting off the last record'
    output.err(`${file}: ${what}, at byte ${offset} of ${await opened.size()}\n`)
    await opened.setSize(offset)
    if (append.length > 0) await opened.write(append, offset)
    await opened.sync()
  } finally {
    await opened.close()
  }
  output.err(`${file}: done\n`)
}

/** Locks the directory of the server whose log this is: above `version-2`, or above that if there are several. */
async function lockAround(file: string): Promise<() => Promise<void>> {
  const directory = dirname(resolve(file))
  const own = basename(directory) === 'version-2' ? dirname(directory) : directory
  const above = dirname(own)
  const help = 'stop it first'
  // A server that uses the upper one has no lock on the lower one.
  const unlockAbove = (await isLocked(above)) ? await lockDirectory(above, help) : null
  try {
    const unlock = await lockDirectory(own, help)
    return async () => {
      await unlock()
      await unlockAbove?.()
    }
  } catch (error) {
    await unlockAbove?.()
    throw error
  }
}
