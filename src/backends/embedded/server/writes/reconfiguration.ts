/**
 * Makes the next configuration of an ensemble, or says why there is none.
 *
 * Requests  whole: a list of servers takes the place of all. Incremental: some leave, then some join; one that is there
 *           already changes its place or its role.
 * Order     the checks are in the reference's order, so that a request that is wrong in two ways gets the same number.
 * Source    PrepRequestProcessor.pRequest2Txn (reconfig), Leader.isQuorumSynced of ZooKeeper 3.8.
 */
import { Err } from '../../../wire/codes.ts'
import { configurationOf, readServers } from '../../../wire/configuration.ts'
import type { Configuration } from '../../../wire/configuration.ts'
import type { ReconfigRequest } from '../../../wire/records.ts'
import { checkPortsDiffer } from '../../../wire/server-line.ts'
import type { ServerLine } from '../../../wire/server-line.ts'

/** The servers of the ensemble, as its leader knows them. */
export interface Members {
  /** Whether it may be changed. */
  readonly isOpen: boolean
  /** The configuration that is in force. */
  readonly current: Configuration
  /** Whether another one is proposed. */
  readonly isChanging: boolean
  /** Whether none of those that follow is a server of ZooKeeper. */
  readonly areOurs: boolean
  /** Whether enough of these voters follow, so that the next commits need not wait for others. */
  hasSynced(voters: readonly number[]): boolean
}

/** Whatever version the client has seen. */
const ANY_VERSION = -1n
/** Losing one of so few would end service: the reference refuses it, unless told that no server is ever alone. */
const VOTERS_MIN = 2

/**
 * Decides on a request.
 *
 * @param version - of the configuration that it makes
 * @returns the configuration, or the error number that refuses the request
 */
export function nextConfiguration(members: Members, request: ReconfigRequest, version: bigint): Configuration | number {
  const { isOpen, current, isChanging } = members
  const { joiningServers, leavingServers, newMembers, curConfigId } = request
  if (!isOpen) return Err.reconfigDisabled
  if (!members.areOurs) return Err.unimplemented
  if (isChanging) return Err.reconfigInProgress
  if (curConfigId !== ANY_VERSION && curConfigId !== current.version) return Err.badVersion
  const servers = newMembers === null
    ? changed(current, partsOf(joiningServers), partsOf(leavingServers))
    : serversIn(newMembers.split(/[,\n]/))
  if (servers === null || !havePortsOfTheirOwn(servers) || hasMoved(current, servers)) return Err.badArguments
  const next = configurationOf(servers, version)
  const isTooSmall = next.voters.length < Math.min(VOTERS_MIN, current.voters.length)
  if (isTooSmall || next.voters.length === 0) return Err.badArguments
  return members.hasSynced(next.voters) ? next : Err.newConfigNoQuorum
}

/** The servers of a configuration after some have left and some have joined; null if one of them cannot be read. */
function changed(
  { text }: Configuration,
  joining: readonly string[],
  leaving: readonly string[],
): Map<number, ServerLine> | null {
  const servers = readServers(text.split('\n'))
  for (const id of leaving) {
    if (!/^\d+$/.test(id)) return null
    servers.delete(Number(id))
  }
  const joiners = serversIn(joining)
  if (joiners === null) return null
  for (const [id, line] of joiners) {
    if (line.client === null) return null
    servers.set(id, line)
  }
  return servers
}

function serversIn(lines: readonly string[]): Map<number, ServerLine> | null {
  try {
    return readServers(lines)
  } catch {
    // A TypeError says what of the client's text is wrong; the protocol has a number for all of it.
    return null
  }
}

function havePortsOfTheirOwn(servers: ReadonlyMap<number, ServerLine>): boolean {
  try {
    checkPortsDiffer(servers)
    return true
  } catch {
    return false
  }
}

/** A server's ports are open where it was started: one that moves is removed, and added when it is there. */
function hasMoved({ text }: Configuration, next: ReadonlyMap<number, ServerLine>): boolean {
  return [...readServers(text.split('\n'))].some(([id, { host, peerPort, electionPort, client }]) => {
    const line = next.get(id)
    if (line === undefined) return false
    if (client !== null && line.client !== null && client.port !== line.client.port) return true
    return line.host !== host || line.peerPort !== peerPort || line.electionPort !== electionPort
  })
}

function partsOf(list: string | null): string[] {
  return (list ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '')
}
