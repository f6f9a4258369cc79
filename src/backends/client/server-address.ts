/** Where one server listens for clients. */
export interface ServerAddress {
  /** Name or address, an IPv6 address without its brackets. */
  readonly host: string
  readonly port: number
}

/** A server as it stands in a connection string. */
export function textOf({ host, port }: ServerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
