/**
 * Where a server would be reached by other machines without TLS. `quorate server` does not start like that unless it is
 * told to: decision 30.
 */
import type { EmbeddedOptions, MemberOptions } from '../backends/embedded/index.ts'
import { memberSettingsOf } from '../backends/embedded/member-options.ts'
import type { MemberSettings } from '../backends/embedded/member-options.ts'
import { settingsOf } from '../backends/embedded/options.ts'
import { textOf } from '../backends/client/server-address.ts'
import { isLoopback } from '../core/loopback.ts'
import { INSECURE_KEY } from './zoo-cfg.ts'

const MEMBER_LINE = /^server\.(\d+)=(.+)$/

/** A refusal, from {@link exposuresOf}. */
export function refusalOf(exposures: readonly string[]): string {
  const ways = 'Serve on loopback (clientPortAddress=127.0.0.1) or by TLS (secureClientPort, sslQuorum)'
  const word = `--insecure, or ${INSECURE_KEY}=true in the configuration, if only your own machines reach it`
  return `it does not start like this: ${exposures.join('; ')}. ${ways}, or say ${word}`
}

/**
 * Lists what others could reach.
 *
 * @returns a sentence each; none if all is on loopback or by TLS
 * @throws TypeError and RangeError as `embedded()` does for these options
 */
export function exposuresOf(options: EmbeddedOptions | MemberOptions): string[] {
  if ('myid' in options) return exposuresOfMember(memberSettingsOf(options))
  const { ports, address, adminPorts, adminAddress } = settingsOf(options).clients
  return [
    ...ports.flatMap((port) => clientExposure({ host: address, port })),
    ...adminPorts.flatMap((port) => adminExposure({ host: adminAddress, port })),
  ]
}

/**
 * Lists what others could reach of a server that is started with the configuration that is in force now.
 *
 * @param text - its lines, as `reconfigured` tells them
 * @returns a sentence each that {@link exposuresOf} has not for the options that it runs with
 */
export function exposuresAfter(text: string, options: MemberOptions): string[] {
  const servers = Object.fromEntries(text.split('\n').flatMap((line) => {
    const [, id, value] = MEMBER_LINE.exec(line) ?? []
    return id === undefined || value === undefined ? [] : [[Number(id), value] as const]
  }))
  if (!Object.hasOwn(servers, options.myid)) return []
  // The line says where clients are served; an option that says so holds for a port without an address.
  const { clientPort: _, ...rest } = options
  const before = new Set(exposuresOf(options))
  return exposuresOf({ ...rest, servers }).filter((exposure) => !before.has(exposure))
}

function exposuresOfMember(settings: MemberSettings): string[] {
  const { clientPort, adminPort, common } = settings
  return [
    ...(clientPort === null ? [] : clientExposure(clientPort)),
    ...peerExposure(settings),
    ...(adminPort === null ? [] : adminExposure({ host: common.clients.adminAddress, port: adminPort })),
  ]
}

interface Place {
  readonly host: string
  readonly port: number
}

function clientExposure(place: Place): string[] {
  return isLoopback(place.host) ? [] : [`clients on other machines are served without TLS on ${textOf(place)}`]
}

function adminExposure(place: Place): string[] {
  return isLoopback(place.host) ? [] : [`the AdminServer tells whoever reaches ${textOf(place)}`]
}

function peerExposure({ myid, servers, peerListenHost, peerTls }: MemberSettings): string[] {
  const own = servers.get(myid)
  if (own === undefined || isLoopback(peerListenHost ?? own.host)) return []
  if (peerTls !== null && peerTls.sslQuorum && !peerTls.portUnification) return []
  const ports = `${own.peerPort} and ${own.electionPort}`
  return [`whoever reaches the ports for other servers, ${ports} of ${peerListenHost ?? own.host}, is believed`]
}
