/**
 * The files beside `zoo.cfg` in which a server keeps the configuration that is in force: `zoo.cfg.dynamic.<version>`,
 * at which `zoo.cfg` points by `dynamicConfigFile`. The data directory has it too, and prevails; these serve a server
 * whose data directory is empty, and people.
 *
 * zoo.cfg   loses the entries that the dynamic file takes over, and gets the pointer; every other line stays as it is,
 *           with comments. One that had `server.N` lines is kept as `zoo.cfg.bak`. Owner and mode stay.
 * Durable   each file is written beside its place, synced and renamed, the dynamic one first: after a crash each is the
 *           old one or the new one, and what zoo.cfg points at is there.
 * Failure   is told and harms nothing.
 * Source    QuorumPeerConfig.writeDynamicConfig, editStaticConfig, backupOldConfig, QuorumPeer.setQuorumVerifier of
 *           ZooKeeper 3.8. Departures: it loses comments, rewrites the file of a server that was removed, which then
 *           cannot be started with it, and keeps a proposed configuration in `zoo.cfg.dynamic.next`.
 */
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readServers } from '../backends/wire/configuration.ts'
import { isWildcard } from '../backends/wire/server-line.ts'
import type { ServerLine } from '../backends/wire/server-line.ts'
import { isMissing } from '../backends/embedded/host/storage/file-system.ts'
import { escapedValue, withoutEntries } from './java-properties.ts'

/** Entries that a dynamic file takes over. */
const TAKEN_OVER = /^(server\.|group|weight|dynamicConfigFile$|peerType$)/
const SERVERS = /^\s*server\./m
const HEX = 16
const MODE_BITS = 0o777

/** A configuration that is in force. */
interface InForce {
  readonly version: bigint
  /** Its lines, as /zookeeper/config has them. */
  readonly text: string
}

/** The configuration files of one server. */
export class DynamicFiles {
  readonly #file: string
  readonly #myid: number
  readonly #onError: (version: bigint, error: unknown) => void
  #next: InForce | null = null
  #writing: Promise<void> = Promise.resolve()

  /**
   * Makes the files of a server; nothing is written yet.
   *
   * @param file - the path of its zoo.cfg
   * @param onError - told of a configuration that could not be written
   */
  constructor(file: string, myid: number, onError: (version: bigint, error: unknown) => void) {
    this.#file = file
    this.#myid = myid
    this.#onError = onError
  }

  /** A configuration is in force: it is written soon, unless a later one comes before. */
  keep(configuration: InForce): void {
    this.#next = configuration
    this.#writing = this.#writing.then(() => this.#write())
  }

  /** Resolves when nothing is left to write. */
  settled(): Promise<void> {
    return this.#writing
  }

  async #write(): Promise<void> {
    const configuration = this.#next
    this.#next = null
    if (configuration === null) return
    const { version, text } = configuration
    try {
      const lines = text.split('\n').filter((line) => !line.startsWith('version='))
      const own = readServers(lines).get(this.#myid)
      // A server that was removed can be started again with what it has, to be added again.
      if (own === undefined) return
      const file = await realpath(this.#file)
      const dynamic = `${file}.dynamic.${version.toString(HEX)}`
      await replaced(dynamic, Buffer.from(lines.join('\n')), file)
      const before = await readFile(file)
      const after = pointing(before, dynamic, own)
      if (SERVERS.test(before.toString('latin1'))) await replaced(`${file}.bak`, before, file)
      await replaced(file, after, file)
    } catch (error) {
      this.#onError(version, error)
    }
  }
}

/**
 * A static file that points at a dynamic one.
 *
 * @param own - the server in that dynamic file
 */
function pointing(before: Buffer, dynamic: string, { client }: ServerLine): Buffer {
  const isLeftOut = (key: string): boolean => {
    if (key === 'clientPort') return client !== null
    // The text of a server that listens on one address may not name it.
    if (key === 'clientPortAddress') return client !== null && !isWildcard(client.host)
    return TAKEN_OVER.test(key)
  }
  // Byte by byte: what it says in comments need not be UTF-8.
  const kept = withoutEntries(before.toString('latin1'), isLeftOut)
  const end = kept === '' || /[\r\n]$/.test(kept) ? '' : '\n'
  const pointer = Buffer.from(`${end}dynamicConfigFile=${escapedValue(dynamic)}\n`)
  return Buffer.concat([Buffer.from(kept, 'latin1'), pointer])
}

/**
 * Puts a file in its place, durably, unless it is there already.
 *
 * @param model - whose owner and mode it gets
 */
async function replaced(path: string, content: Uint8Array, model: string): Promise<void> {
  if (await holds(path, content)) return
  const temporary = `${path}.tmp`
  const { mode, uid, gid } = await stat(model)
  await rm(temporary, { force: true })
  const file = await open(temporary, 'wx', mode & MODE_BITS)
  try {
    await file.writeFile(content)
    // Only the superuser gives files away; for others it is theirs in either case.
    await file.chown(uid, gid).catch(() => undefined)
    await file.chmod(mode & MODE_BITS)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const directory = await open(dirname(path), 'r')
  await directory.sync().finally(() => directory.close())
}

async function holds(path: string, content: Uint8Array): Promise<boolean> {
  try {
    return (await readFile(path)).equals(content)
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
