/** The JSON that the processes of the service and those who ask them exchange. */

/** The arguments of one process. */
export interface ServiceOptions {
  readonly myid: number
  readonly servers: Readonly<Record<number, string>>
  readonly dataDir: string
  /** Of its HTTP server. */
  readonly port: number
}

/** The bill of an order. */
export interface Bill {
  readonly by: number
  /** The fencing token of the lock under which it was made. */
  readonly token: string
  readonly percent: number
}

/** An order, as `GET /orders` lists it. */
export interface Order {
  readonly id: string
  readonly amount: number
  /** Null until it is billed; `zxid` is its place in the order of all writes. */
  readonly bill: (Bill & { readonly zxid: string }) | null
}

/** The answer of `GET /health`. */
export interface Health {
  readonly myid: number
  /** The leader of the ensemble; null while this process's server does not serve. */
  readonly leader: number | null
  readonly serves: boolean
  /** Of the lock for billing, if this process has it. */
  readonly token: string | null
}
