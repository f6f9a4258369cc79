/**
 * Golden scenarios: each file in scenarios/ is a script whose full trace is written after its commands. Rewrite them
 * with `UPDATE_SCENARIOS=1 npx vitest run scenarios` and review the difference.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Cluster } from './cluster.ts'
import type { TestConnection } from './test-connection.ts'

const FOLDER = new URL('./scenarios/', import.meta.url)

/** Runs one command; what it returns is printed after the trace. */
type Command = (words: readonly string[]) => readonly string[] | void

class Scenario {
  #cluster = new Cluster([1, 2, 3])
  readonly #clients = new Map<string, TestConnection>()

  readonly #commands: Readonly<Record<string, Command>> = {
    voters: (ids) => this.#replaceCluster(ids.map(Number)),
    /** log SERVER COUNT [EPOCH]: the server starts with COUNT transactions of EPOCH. */
    log: ([id, count, epoch]) => this.#cluster.fillLog(Number(id), Number(count), Number(epoch ?? 0)),
    epochs: ([id, accepted, current]) => this.#cluster.setEpochs(Number(id), Number(accepted), Number(current)),
    start: (ids) => {
      for (const id of ids) this.#cluster.start(Number(id))
    },
    crash: (ids) => {
      for (const id of ids) this.#cluster.crash(Number(id))
    },
    /** leave SERVER: it is about to end. */
    leave: ([id]) => this.#cluster.leave(Number(id)),
    wipe: ([id]) => this.#cluster.wipe(Number(id)),
    run: () => this.#cluster.run(),
    /** deliver FROM TO: the oldest message between the two. */
    deliver: ([from, to]) => {
      this.#cluster.deliver(Number(from), Number(to))
    },
    tick: ([count]) => this.#cluster.tick(Number(count ?? 1)),
    partition: (words) => this.#cluster.network.partition(words.join(' ').split('|').map((group) => ids(group))),
    heal: () => this.#cluster.network.heal(),
    status: () => this.#cluster.status(),
    connect: ([name, server]) => {
      this.#clients.set(name ?? '', this.#cluster.connect(Number(server)))
    },
    create: ([name, path]) => {
      this.#cluster.create(this.#client(name), path ?? '')
    },
    received: ([name]) => this.#client(name).received.splice(0).map((message) => formatReply(message)),
  }

  run(line: string): readonly string[] {
    const [name = '', ...words] = line.trim().split(/\s+/)
    const command = this.#commands[name]
    if (command === undefined) throw new Error(`unknown command: ${line}`)
    const output = command(words) ?? []
    const trace = this.#cluster.trace
    this.#cluster.trace = []
    return [...trace, ...output]
  }

  #client(name: string | undefined): TestConnection {
    const client = this.#clients.get(name ?? '')
    if (client === undefined) throw new Error(`no client ${name ?? ''}`)
    return client
  }

  #replaceCluster(voters: readonly number[]): void {
    this.#cluster = new Cluster(voters)
  }
}

function ids(text: string): number[] {
  return text.trim().split(/\s+/).map(Number)
}

function formatReply(message: TestConnection['received'][number]): string {
  if (message.kind === 'connect') return `connected, time-out ${message.response.timeOut} ms`
  if (message.kind === 'event') return `event ${message.event.type} ${message.event.path}`
  return `reply zxid 0x${message.reply.zxid.toString(16)} err ${message.reply.err}`
}

/** Replays a scenario: comments and commands stay, the trace after each command is written again. */
function replay(text: string): string {
  const scenario = new Scenario()
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#') || line === '') lines.push(line)
    else if (line.startsWith('$ ')) lines.push(line, ...scenario.run(line.slice(2)).map((output) => `  ${output}`))
  }
  return lines.join('\n')
}

describe('golden scenarios', () => {
  for (const name of readdirSync(FOLDER).sort()) {
    const file = new URL(name, FOLDER)
    it(`${name.replace('.txt', '').replaceAll('-', ' ')} goes as it is written down`, () => {
      const text = readFileSync(file, 'utf8')
      const replayed = replay(text)
      if (process.env['UPDATE_SCENARIOS'] === '1') writeFileSync(file, replayed)
      expect(replayed).toBe(process.env['UPDATE_SCENARIOS'] === '1' ? replayed : text)
    })
  }
})
