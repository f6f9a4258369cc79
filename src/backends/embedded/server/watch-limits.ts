/** The limits of watches, unless a server is told otherwise. */

/** Most watches of one connection. */
export const CONNECTION_WATCHES_MAX = 100_000
/** Most bytes of paths of the watches of one connection: a path can be as long as a request. */
export const CONNECTION_WATCH_BYTES_MAX = 0x200_0000
/** Most watches of all connections: some 200 bytes each. */
export const SERVER_WATCHES_MAX = 1_000_000
/** Most bytes of their paths. */
export const SERVER_WATCH_BYTES_MAX = 0x1000_0000
