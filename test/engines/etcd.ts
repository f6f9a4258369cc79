/** etcd for tests: one member or three, on free loopback ports, with data in a scratch folder. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { findProgram, freePort, reasonToSkip, scratchFolder, startProcess, untilReady } from './process.ts'
import type { EngineProcess } from './process.ts'

/** Why suites of etcd are skipped, or null if they run. */
export const etcdMissing: string | null = reasonToSkip('etcd', findProgram('etcd') !== null)

/** A cluster under test; members are counted from 0. */
export interface EtcdCluster {
  /** Client URLs, one per member. */
  readonly urls: readonly string[]
  /** The file with the certificate that the first member has made for itself; only with the flag `--auto-tls`. */
  readonly certificate: string
  /** The process of a member. */
  process(member: number): EngineProcess
  /** Freezes a member, which keeps its connections and answers nothing. */
  freeze(member: number): void
  /** Lets it go on. */
  thaw(member: number): void
  /** Kills a member without a word of warning. */
  kill(member: number): Promise<void>
  /** Starts a member that was killed, with its data. */
  restart(member: number): Promise<void>
  /** Which member leads. */
  leader(): Promise<number>
  /** Asks a member's gateway. */
  post(member: number, method: string, body: object): Promise<Record<string, unknown>>
  /** Kills all members and removes their data. */
  close(): Promise<void>
}

interface Member {
  readonly name: string
  readonly client: string
  readonly peer: string
  readonly folder: string
}

const ANSWER_MS_MAX = 3_000
const MEMORY_FOLDER = '/dev/shm'
const FLAGS = ['--logger', 'zap', '--log-level', 'error']

/** How a cluster is started. */
interface EtcdStart {
  /** More flags for each member. */
  readonly flags?: readonly string[]
  /** Whether its data are on a disk, which takes its time, and not in a file system in memory. */
  readonly onDisk?: boolean
}

/**
 * Starts a cluster.
 *
 * @param size - how many members
 */
export async function startEtcd(size: number, { flags = [], onDisk = false }: EtcdStart = {}): Promise<EtcdCluster> {
  const scratch = !onDisk && existsSync(MEMORY_FOLDER) ? memoryFolder() : scratchFolder('etcd')
  const members: Member[] = []
  for (let i = 0; i < size; i++) {
    const [client, peer] = [await freePort(), await freePort()]
    const name = `m${i}`
    const scheme = flags.includes('--auto-tls') ? 'https' : 'http'
    const urls = { client: `${scheme}://127.0.0.1:${client}`, peer: `http://127.0.0.1:${peer}` }
    members.push({ name, ...urls, folder: `${scratch.path}/${name}` })
  }
  const start = (member: Member): EngineProcess => startProcess('etcd', argsOf(member, members, flags))
  const processes = members.map(start)
  const memberAt = (index: number): Member => members[index] as Member
  const processAt = (index: number): EngineProcess => processes[index] as EngineProcess
  const post = (member: number, method: string, body: object): Promise<Record<string, unknown>> => {
    return postTo(memberAt(member).client, method, body)
  }
  const ready = (member: number): Promise<void> => untilReady(processAt(member), () => serves(memberAt(member).client))
  const close = async (): Promise<void> => {
    for (const process of processes) process.signal('SIGCONT')
    await Promise.all(processes.map((process) => process.kill()))
    scratch.remove()
  }
  try {
    await Promise.all(members.map((_, index) => ready(index)))
  } catch (error) {
    await close()
    throw error
  }
  return {
    urls: members.map(({ client }) => client),
    certificate: `${memberAt(0).folder}/fixtures/client/cert.pem`,
    process: processAt,
    freeze: (member) => processAt(member).signal('SIGSTOP'),
    thaw: (member) => processAt(member).signal('SIGCONT'),
    kill: (member) => processAt(member).kill(),
    restart: async (member) => {
      processes[member] = start(memberAt(member))
      await ready(member)
    },
    leader: () => leaderOf(members),
    post,
    close,
  }
}

function memoryFolder(): ReturnType<typeof scratchFolder> {
  const path = mkdtempSync(join(MEMORY_FOLDER, 'quorate-etcd-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

function argsOf(member: Member, members: readonly Member[], flags: readonly string[]): string[] {
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join()
  return [
    ...['--name', member.name, '--data-dir', member.folder, '--initial-cluster', cluster],
    ...['--listen-client-urls', member.client, '--advertise-client-urls', member.client],
    ...['--listen-peer-urls', member.peer, '--initial-advertise-peer-urls', member.peer],
    ...FLAGS,
    ...flags,
  ]
}

/** It is healthy once it has answered itself a linearizable read. */
async function serves(url: string): Promise<boolean> {
  return (await ask('GET', `${url}/health`, ''))['health'] === 'true'
}

async function leaderOf(members: readonly Member[]): Promise<number> {
  for (const [index, { client }] of members.entries()) {
    const status = await postTo(client, '/v3/maintenance/status', {}).catch(() => null)
    const header = status?.['header'] as { readonly member_id?: string } | undefined
    if (status !== null && status['leader'] !== undefined && header?.member_id === status['leader']) return index
  }
  throw new Error('no member leads')
}

function postTo(url: string, method: string, body: object): Promise<Record<string, unknown>> {
  return ask('POST', url + method, JSON.stringify(body))
}

function ask(method: string, url: string, body: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    // A frozen member answers nothing, and the certificate that a member makes for itself is nobody's to trust.
    const options = { method, timeout: ANSWER_MS_MAX, rejectUnauthorized: false }
    const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, options)
    request.once('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)))
    request.once('error', reject)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>))
    })
    request.end(body)
  })
}
