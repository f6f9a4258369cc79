/**
 * The options of a server of an ensemble, from ZooKeeper's configuration file and the file `myid`.
 *
 * Ticks     this server's are shorter than the configuration's, whose limits keep their length.
 * Source    QuorumPeerConfig.checkValidity, setupMyId, setupPeerType of ZooKeeper 3.8.
 */
import { readFileSync } from 'node:fs'
import type { EmbeddedOptions, MemberOptions } from '../backends/embedded/index.ts'
import { checkPortsDiffer, parseServerLine } from '../backends/wire/server-line.ts'
import type { ServerLine } from '../backends/wire/server-line.ts'
import { Failure, UsageError } from './exit-status.ts'
import { reasonOf } from './file-reason.ts'
import type { ZooCfg } from './zoo-cfg.ts'

const CLIENT_PORT = 2181
const TICK_MS = 50
const LIMIT_TICKS_MAX = 100_000
const ALL_ADDRESSES = '0.0.0.0'

/** The arguments of the command line beside the configuration. */
interface Given {
  /** Of the configuration, for messages. */
  readonly file: string
  readonly myid: string | undefined
  readonly port: number | undefined
  readonly options: Pick<EmbeddedOptions, 'dataDir' | 'tickMs'>
}

/** Options of a server of several, beside those that every server has. */
type OwnOptions = Pick<MemberOptions, 'myid' | 'servers'> & Partial<MemberOptions>

/**
 * Finds out which server this is, and the facts that it needs about the others.
 *
 * @returns the options, and warnings for the operator
 * @throws Failure for a configuration that cannot be used, UsageError for a wrong `--myid`
 */
export function memberOptionsOf(
  cfg: ZooCfg,
  { file, myid: word, port, options }: Given,
): { readonly options: OwnOptions; readonly notices: readonly string[] } {
  const { initLimit = 0, syncLimit = 0, servers } = cfg
  if (initLimit < 1) throw new Failure(`${file}: an ensemble needs initLimit in ticks, from 1 on, such as 10`)
  if (syncLimit < 1) throw new Failure(`${file}: an ensemble needs syncLimit in ticks, from 1 on, such as 5`)
  const myid = word === undefined ? myidOfFile(options.dataDir ?? null, file) : myidOfWord(word)
  const texts = new Map(Object.entries(servers).map(([id, text]) => [Number(id), text]))
  const own = texts.get(myid)
  if (own === undefined) {
    throw new Failure(`${file}: there is no server.${myid}, and this is server ${myid}; there are ${names(texts)}`)
  }
  const lines = new Map([...texts].map(([id, text]) => [id, parseServerLine(text, `server.${id}`)]))
  try {
    checkPortsDiffer(lines)
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  }
  const line = parseServerLine(own, `server.${myid}`)
  const tickMs = options.tickMs ?? TICK_MS
  const ticks = (limit: number): number => {
    return Math.min(LIMIT_TICKS_MAX, Math.max(1, Math.ceil((limit * cfg.tickTimeMs) / tickMs)))
  }
  const isSecureOnly = cfg.secureClientPort !== undefined
  const clientPort = port ?? (line.client === null && !isSecureOnly ? CLIENT_PORT : undefined)
  return {
    options: {
      myid,
      servers,
      initLimitTicks: ticks(initLimit),
      syncLimitTicks: ticks(syncLimit),
      ...(clientPort === undefined ? {} : { clientPort }),
      ...(cfg.listensOnAll ? { peerListenHost: ALL_ADDRESSES } : {}),
      ...(cfg.secureClientPort === undefined ? {} : { secureClientPort: cfg.secureClientPort }),
      ...(cfg.peerTls === undefined ? {} : { peerTls: cfg.peerTls }),
      ...(cfg.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: cfg.connectTimeoutMs }),
    },
    notices: noticesOf(cfg, line, file),
  }
}

function noticesOf(cfg: ZooCfg, own: ServerLine, file: string): string[] {
  const notices: string[] = []
  const role = own.votes ? 'participant' : 'observer'
  if (cfg.peerType !== undefined && cfg.peerType !== role) {
    notices.push(`${file}: peerType is ${cfg.peerType}, and the server line says ${role}: the line holds`)
  }
  return notices
}

function myidOfWord(word: string): number {
  if (/^\d{1,3}$/.test(word)) return Number(word)
  throw new UsageError(`--myid must be a whole number from 1 to 254, got ${JSON.stringify(word)}`)
}

function myidOfFile(dataDir: string | null, file: string): number {
  if (dataDir === null) {
    throw new Failure(`${file}: say which server this is: by dataDir and its file myid, or by --myid`)
  }
  const path = `${dataDir}/myid`
  let text: string
  try {
    text = readFileSync(path, 'latin1').trim()
  } catch (error) {
    throw new Failure(`cannot read which server this is from ${path}: ${reasonOf(error)}; write it, or give --myid`)
  }
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new Failure(`${path} must hold a whole number from 1 to 254, got ${JSON.stringify(text.slice(0, 20))}`)
}

function names(texts: ReadonlyMap<number, string>): string {
  return [...texts.keys()].map((id) => `server.${id}`).join(', ')
}
