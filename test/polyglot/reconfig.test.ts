/** Clients of the field change the servers of an ensemble, and see it. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../src/backends/embedded/index.ts'
import type { EnsembleMember } from '../../src/backends/embedded/index.ts'
import { freePorts, reasonToSkip } from '../engines/process.ts'
import { PROGRAM_TEST_MS_MAX, hasCurator, hasKazoo, java, python, run } from './programs.ts'

const ZKCLI = '/usr/share/zookeeper/bin/zkCli.sh'
/** Of `super:test`. */
const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='
const SERVERS = [1, 2, 3, 4]
const PORTS_EACH = 3

let members: readonly EnsembleMember[] = []
/** Where each server is, in the words of a configuration. */
let places: readonly string[] = []

beforeAll(async () => {
  const ports = await freePorts(PORTS_EACH * SERVERS.length)
  places = SERVERS.map((id) => {
    const [peer, election, client] = ports.slice(PORTS_EACH * (id - 1))
    return `127.0.0.1:${peer}:${election}:participant;127.0.0.1:${client}`
  })
  const servers = Object.fromEntries(places.slice(0, 3).map((place, index) => [index + 1, place]))
  const options = { tickMs: 20, syncLimitTicks: 100, initLimitTicks: 100, superDigest: SUPER_DIGEST }
  members = [1, 2, 3].map((myid) => embedded({ myid, servers, reconfigEnabled: true, ...options }))
  await Promise.all(members.map((member) => member.start()))
})

afterAll(() => Promise.all(members.map((member) => member.close())))

function addressOf(id: number): string {
  return places[id - 1]?.split(';')[1] ?? ''
}

/** A server that is not up: an observer need not be. */
function added(): string {
  return `server.4=${places[3]?.replace(':participant', ':observer')}`
}

/** The output of zkCli.sh for some lines. */
async function zkCli(lines: readonly string[]): Promise<string> {
  const running = promisify(execFile)(ZKCLI, ['-server', addressOf(1)])
  running.child.stdin?.end(`${lines.join('\n')}\n`)
  const { stdout } = await running
  return stdout
}

const withoutKazoo = reasonToSkip('kazoo', hasKazoo)
const withoutCurator = reasonToSkip('Curator', hasCurator)
const withoutZkCli = reasonToSkip('zkCli.sh', existsSync(ZKCLI))

describe('the servers of an ensemble are changed', { timeout: PROGRAM_TEST_MS_MAX }, () => {
  it.skipIf(withoutKazoo !== null)(`by kazoo${withoutKazoo === null ? '' : ` (${withoutKazoo})`}`, async () => {
    const line = added().replace(/:observer.*/, '')
    expect(await run(python('kazoo_reconfig.py'), [addressOf(1), line])).toEqual([
      'adds a server', 'removes it', 'replaces all', 'is told why not', 'sees it by a watch',
    ])
  })

  it.skipIf(withoutCurator !== null)(
    `by Curator, whose EnsembleTracker follows${withoutCurator === null ? '' : ` (${withoutCurator})`}`,
    async () => {
      expect(await run(java('CuratorEnsemble.java'), [addressOf(1), added(), addressOf(4)])).toEqual([
        'knows all from one', 'follows a server that is added', 'follows a server that is removed',
      ])
    },
  )

  it.skipIf(withoutZkCli !== null)(`by zkCli.sh${withoutZkCli === null ? '' : ` (${withoutZkCli})`}`, async () => {
    const before = places.slice(0, 3).map((place, index) => `server.${index + 1}=${place}`)
    const printed = await zkCli([
      'config', 'addauth digest super:test', `reconfig -add ${added()}`, 'reconfig -remove 4', 'config -c', 'quit',
    ])
    const [first = '', joined = '', left = ''] = printed.split(/server\.1=/).slice(1).map((rest) => `server.1=${rest}`)
    expect(first).toContain(before.join('\n'))
    expect(joined).toContain([...before, added()].join('\n'))
    expect(left).toContain(before.join('\n'))
    expect(left).not.toContain('server.4=')
    expect(printed.match(/Committed new configuration:/g)).toHaveLength(2)
    expect(left).toMatch(new RegExp(`^[\\da-f]+ .*${addressOf(2)}`, 'm'))
  })
})
