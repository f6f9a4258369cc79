/** Addresses of this machine itself, as texts. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i

/** Whether a host can only be this machine; `host` is a name or an address, an IPv6 one without brackets. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}
