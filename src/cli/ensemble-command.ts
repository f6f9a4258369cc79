/**
 * `quorate ensemble`: an ensemble of processes for development, on this machine, with its data in one directory.
 *
 * Output    one line for each server on standard output when it serves, and one when it ends by itself; on standard
 *           error the lines of the servers, each with its server.
 * Source    zkServer.sh and kazoo.testing start such ensembles of ZooKeeper.
 */
import { resolve } from 'node:path'
import { textOf } from '../backends/client/server-address.ts'
import { abortable, delay } from '../core/async.ts'
import { askWord } from '../dashboard/servers/ask-word.ts'
import { takeOptions } from './command-options.ts'
import { CLIENT_PORT, CLIENT_PORT_MAX, openDirectory } from './ensemble-directory.ts'
import { EnsembleProcess } from './ensemble-process.ts'
import { ExitStatus, Failure, UsageError } from './exit-status.ts'
import type { Output } from './output.ts'
import { rowOf } from '../dashboard/servers/server-row.ts'

const SERVERS = 3
const SERVERS_MIN = 2
const SERVERS_MAX = 9
/** A start that takes longer, in milliseconds, is reported with all lines of the servers. */
const START_TOLD_MS = 5_000
const ASK_MS_MAX = 1_000
const ASK_PAUSE_MS = 50

const USAGE = `usage: quorate ensemble DIR [options]
An ensemble for development: servers in processes of their own on 127.0.0.1, with their configurations and data in DIR.
The first time it writes them; after that it starts what is there. Ctrl-C ends all servers.
options:
  --servers N           ${SERVERS_MIN} to ${SERVERS_MAX}; ${SERVERS} by default, or as many as there are in DIR
  --client-port PORT    of the first server, the others' follow; 0 for any that are free. ${CLIENT_PORT} by default
  --help
exit status: 0 ended by a signal, 1 a server could not start or all have ended, 2 not understood`

const OPTIONS = {
  servers: { type: 'string' },
  'client-port': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

interface EnsembleArguments {
  readonly folder: string
  readonly servers: number | null
  readonly clientPort: number | null
}

/**
 * Runs the servers until a signal ends them.
 *
 * @param args - after `ensemble`
 * @param stop - aborted by the signal
 * @returns the exit status
 * @throws UsageError for wrong arguments; Failure if the directory cannot be used, a server cannot start, or all have
 * ended by themselves
 */
export async function runEnsemble(args: readonly string[], output: Output, stop: AbortSignal): Promise<number> {
  const given = readArguments(args)
  if (given === null) {
    output.out(`${USAGE}\n`)
    return ExitStatus.ok
  }
  const servers = await openDirectory(given.folder, SERVERS, given)
  const processes = servers.map((server) => {
    return new EnsembleProcess(server, (line) => output.err(`server ${server.id}: ${line}\n`))
  })
  try {
    await untilAllServe(processes, output, stop)
    const all = processes.map((one) => watchOver(one, processes, output, stop))
    await abortable(Promise.all(all), stop).catch(() => undefined)
    if (stop.aborted) return ExitStatus.ok
    throw new Failure('all servers have ended')
  } finally {
    await Promise.all(processes.map((one) => one.end()))
  }
}

/** Prints the line of each server; the first that cannot start ends the wait. */
async function untilAllServe(processes: readonly EnsembleProcess[], output: Output, stop: AbortSignal): Promise<void> {
  const tellAll = (): void => {
    for (const one of processes) one.tellAll(true)
  }
  const late = setTimeout(tellAll, START_TOLD_MS)
  const started = processes.map(async (one) => {
    const { id, address, dataDir } = one.server
    try {
      await one.serving
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Failure(`server ${id} cannot start: ${reason}`)
    }
    const role = await roleOf(one, stop)
    output.out(`server ${id} serves on ${textOf(address)}, ${role} (${dataDir}; pid ${one.pid})\n`)
  })
  try {
    await abortable(Promise.all(started), stop)
    for (const one of processes) one.tellAll(false)
  } catch (error) {
    if (!stop.aborted) throw error
  } finally {
    clearTimeout(late)
  }
}

/** The role of a server that serves; an election may be under way again when it is asked. */
async function roleOf({ server, ended }: EnsembleProcess, stop: AbortSignal): Promise<string> {
  let how: string | null = null
  void ended.then((end) => (how = end))
  for (;;) {
    const answer = await askWord(server.address, 'srvr', ASK_MS_MAX, stop).catch(() => '')
    const { role } = rowOf(textOf(server.address), answer, '')
    if (role !== null) return role
    if (how !== null) throw new Failure(`server ${server.id} ended with ${String(how)} at its start`)
    await delay(ASK_PAUSE_MS, stop)
  }
}

/** Waits until a server ends by itself, and tells how many are left. */
async function watchOver(
  one: EnsembleProcess,
  all: readonly EnsembleProcess[],
  output: Output,
  stop: AbortSignal,
): Promise<void> {
  const how = await one.ended
  if (stop.aborted) return
  const majority = Math.floor(all.length / 2) + 1
  const again = `quorate server ${one.server.configuration} starts it again`
  output.out(`server ${one.server.id} ended with ${how}; a majority is ${majority} of ${all.length}; ${again}\n`)
}

function readArguments(args: readonly string[]): EnsembleArguments | null {
  const { values, positionals } = takeOptions('ensemble', args, OPTIONS)
  if (values.help === true) return null
  const [folder] = positionals
  if (folder === undefined || folder === '' || positionals.length > 1) {
    throw new UsageError(`ensemble takes one directory, got ${JSON.stringify(positionals.join(' '))}`)
  }
  const servers = numberOf('--servers', values.servers, SERVERS_MIN, SERVERS_MAX)
  const clientPort = numberOf('--client-port', values['client-port'], 0, CLIENT_PORT_MAX - SERVERS_MAX)
  return { folder: resolve(folder), servers, clientPort }
}

function numberOf(name: string, text: string | undefined, min: number, max: number): number | null {
  if (text === undefined) return null
  if (/^\d{1,5}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text)
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`)
}
