/**
 * The four-letter word `mntr`: a server's numbers, as monitoring of the field reads them.
 *
 * Source    MonitorCommand.java of ZooKeeper 3.8.
 */
import { decimal, numbersOf } from './metrics.ts'
import type { Monitored } from './metrics.ts'

const PEER_STATES = {
  LOOKING: 'looking',
  LEADING: 'leading - broadcast',
  FOLLOWING: 'following - broadcast',
  OBSERVING: 'observing - broadcast',
} as const

/** The lines of `mntr`, without their ends. */
export function monitorLines(monitored: Monitored): string[] {
  const { version, mode, isStandalone } = monitored
  return [
    `zk_version\t${version}`,
    `zk_server_state\t${mode}`,
    ...(isStandalone ? [] : [`zk_peer_state\t${peerState(monitored)}`]),
    ...numbersOf(monitored).flatMap(({ name, value, isDecimal }) => {
      return value === null ? [] : [`zk_${name}\t${isDecimal ? decimal(value) : value}`]
    }),
  ]
}

/** The state of a server among the others, as `mntr` and the AdminServer name it. */
export function peerState({ status }: Monitored): string {
  return PEER_STATES[status.role]
}
