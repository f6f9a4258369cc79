/** The ports of a server of this process: for ZooKeeper's clients over TCP and TLS, and for operators over HTTP. */
import { AdminServer } from './host/admin/admin-server.ts'
import { ClientPort } from './host/clients/tcp-port.ts'
import type { ClientTls } from './host/clients/tcp-port.ts'
import { Certificates } from './host/tls/certificates.ts'
import type { NetworkPorts, PortOptions } from './parts.ts'

/** Makes the ports that the options ask for; they are closed. */
export function portsOf(options: PortOptions): NetworkPorts {
  const { id, clients, clientPort, secureClientPort, adminPort, events } = options
  if (clientPort === null && secureClientPort === null) return { port: null, admin: null }
  const port = new ClientPort({
    ...clients,
    port: clientPort,
    tls: tlsOf(options),
    onTlsRefused: (address, reason) => {
      events.emit(id, { type: 'client-refused', address, reason })
    },
    company: options.company,
    configuration: () => options.configuration(),
    directories: () => options.directories(),
    isIsolated: (sessionId) => options.isIsolated(sessionId),
    onClientError: (sessionId, error) => {
      events.emit(id, { type: 'client-failed', sessionId, error })
      events.tellClientError(error)
    },
  })
  if (adminPort === null) return { port, admin: null }
  return { port, admin: new AdminServer({ address: clients.adminAddress, port: adminPort, view: port.view }) }
}

function tlsOf({ id, clients: { tls }, secureClientPort, events }: PortOptions): ClientTls | null {
  if (tls === null) return null
  const certificates = new Certificates(tls, 'ssl', (event) => {
    events.emit(id, event)
  })
  return { ...tls, certificates, port: secureClientPort }
}
