/** Commands on the servers of an ensemble: reconfig, and config without a path. */
import { readFileSync } from 'node:fs'
import type { ServerChange, ServersInForce } from '../../backends/zookeeper/extension/operations.ts'
import { readServers, versionOf } from '../../backends/wire/configuration.ts'
import { clientAddressOf } from '../../backends/wire/server-line.ts'
import type { ServerLine } from '../../backends/wire/server-line.ts'
import { textOf as addressText } from '../../backends/client/server-address.ts'
import { Failure } from '../exit-status.ts'
import { reasonOf } from '../file-reason.ts'
import { readProperties } from '../java-properties.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'
import { statText } from './node-text.ts'
import { visible } from '../visible.ts'

const HEX = 16
/** Matches each version that can be in force. */
const ANY_VERSION = -1n

const RECONFIG: Command = {
  name: 'reconfig',
  usage: '[-s] [-v version] [-file path | -members server.N=...,...] | [-add server.N=...,...] [-remove N,...]',
  summary: 'changes the servers of the ensemble: some leave and some join, or a list takes the place of all',
  details: `  -add     server.4=host:2888:3888:participant;2181, also to change the role of a server that is there
  -remove  the numbers of servers
  -members a list that takes the place of all; -file a file with such lines
  -v       only if this version is in force, in hexadecimal as config prints it
  It needs reconfigEnabled on the servers, and the superuser: addauth digest super.
`,
  flags: { s: 'alone', v: 'value', file: 'value', members: 'value', add: 'value', remove: 'value' },
  words: [0, 0],
  run: reconfig,
}

export const ENSEMBLE_COMMANDS: readonly Command[] = [RECONFIG]

/** Prints the servers, or where clients connect to them. */
export async function printServers({ zookeeper, print }: CommandContext, given: Given): Promise<void> {
  const found = await zookeeper().servers()
  print(result('', found, given))
}

async function reconfig({ zookeeper, print }: CommandContext, given: Given): Promise<void> {
  const change = changeOf(given)
  const text = given.value('v')
  if (text !== undefined && !/^(0x)?[\da-f]{1,16}$/i.test(text)) {
    throw wrong(RECONFIG, `-v must be a version in hexadecimal, got ${JSON.stringify(text)}`)
  }
  const version = text === undefined ? ANY_VERSION : BigInt(`0x${text.replace(/^0x/i, '')}`)
  const found = await zookeeper().reconfigure(change, version)
  print(result('Committed new configuration:\n', found, given))
}

function changeOf(given: Given): ServerChange {
  const [file, members, add, remove] = ['file', 'members', 'add', 'remove'].map((flag) => given.value(flag))
  const isWhole = file !== undefined || members !== undefined
  const isPart = add !== undefined || remove !== undefined
  if (!isWhole && !isPart) throw wrong(RECONFIG, 'it needs -add, -remove, -members or -file')
  if (isWhole && isPart) throw wrong(RECONFIG, '-members and -file take the place of all: without -add and -remove')
  if (file !== undefined && members !== undefined) throw wrong(RECONFIG, 'give -members or -file')
  if (file !== undefined) return { members: linesOf(file) }
  return members !== undefined ? { members: partsOf(members) } : { joining: partsOf(add), leaving: partsOf(remove) }
}

/** The server lines of a file; others, such as those of zoo.cfg, are passed over. */
function linesOf(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${reasonOf(error)}`)
  }
  const servers = readProperties(text).filter(({ key }) => key.startsWith('server.'))
  if (servers.length === 0) throw new Failure(`${file} has no server.N=... lines`)
  return servers.map(({ key, value }) => `${key}=${value}`)
}

function partsOf(list: string | undefined): string[] {
  return (list ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '')
}

function result(head: string, { text, stat }: ServersInForce, given: Given): Parameters<CommandContext['print']>[0] {
  const version = versionOf(text).toString(HEX)
  const servers = serversOf(text)
  const clients = servers.flatMap(([, line]) => clientAddressOf(line) ?? []).map(addressText)
  const isLong = given.has('s')
  const shown = given.has('c') ? `${version} ${clients.join(',')}` : visible(text)
  return {
    text: `${head}${shown}\n${isLong ? statText(stat) : ''}`,
    json: {
      version,
      servers: servers.map(([id, { host, peerPort, electionPort, votes, client }]) => {
        const role = votes ? 'participant' : 'observer'
        return { id, host, peerPort, electionPort, role, clientPort: client?.port ?? null }
      }),
      clients,
      text,
      ...(isLong ? { stat } : {}),
    },
  }
}

/** The servers of a configuration; those of a ZooKeeper that have several addresses stand in its text alone. */
function serversOf(text: string): readonly (readonly [number, ServerLine])[] {
  return text.split('\n').flatMap((line) => {
    try {
      return [...readServers([line])]
    } catch {
      return []
    }
  })
}
