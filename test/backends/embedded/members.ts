/** Servers of an ensemble of processes, all of them in this one, and an operator who changes their configuration. */
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { EnsembleMember, MemberOptions } from '../../../src/backends/embedded/index.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { freePorts } from '../../engines/process.ts'
import { RawClient } from './host/clients/raw-client.ts'

const PORTS_EACH = 3
/** Of `super:test`. */
export const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='
const SUPER = new TextEncoder().encode('super:test')

/** Options that let them begin soon, and be changed. */
export const CHANGEABLE = { tickMs: 20, initLimitTicks: 25, superDigest: SUPER_DIGEST, reconfigEnabled: true } as const

/** Texts of so many servers on free ports of this machine, each with one for clients. */
export async function memberTexts(count: number): Promise<Record<number, string>> {
  const ports = await freePorts(PORTS_EACH * count)
  return Object.fromEntries(Array.from({ length: count }, (_, index) => {
    const [peer, election, client] = ports.slice(PORTS_EACH * index)
    return [index + 1, `127.0.0.1:${peer}:${election};127.0.0.1:${client}`]
  }))
}

/** The first three of some servers; they serve. Who calls this closes them. */
export async function startThree(
  texts: Record<number, string>,
  more: Partial<MemberOptions>,
): Promise<EnsembleMember[]> {
  const servers = Object.fromEntries(Object.entries(texts).slice(0, 3))
  const members = [1, 2, 3].map((myid) => embedded({ myid, servers, ...more }))
  await Promise.all(members.map((member) => member.start()))
  return members
}

/** The port on which a server serves clients. */
export function portOf({ clientAddress }: EnsembleMember): number {
  return Number(clientAddress?.split(':')[1])
}

/** The one that leads, and the two others. */
export function rolesOf(members: readonly EnsembleMember[]): [EnsembleMember, EnsembleMember, EnsembleMember] {
  const leader = members.find((member) => member.leader === member.myid)
  const [first, second] = members.filter((member) => member !== leader)
  if (leader === undefined || first === undefined || second === undefined) throw new Error('nobody leads')
  return [leader, first, second]
}

/**
 * Changes the servers, as the superuser.
 *
 * @param port - of a server that serves clients
 * @returns the number of the error, 0 for none
 */
export async function change(
  what: { readonly joiningServers?: string; readonly leavingServers?: string },
  port: number,
): Promise<number> {
  const operator = await RawClient.open(port)
  await operator.ask(OpCode.auth, { type: 0, scheme: 'digest', auth: SUPER })
  const nothing = { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1n }
  const { err } = await operator.ask(OpCode.reconfig, { ...nothing, ...what })
  await operator.drop()
  return err
}
