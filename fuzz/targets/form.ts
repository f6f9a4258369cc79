/** One form of bytes that comes from outside. */
export interface Form {
  readonly name: string
  /** Valid bytes, always the same. */
  readonly seeds: () => readonly Uint8Array[]
  /** Reads bytes. @throws CoordinationError `PROTOCOL_VIOLATION` alone */
  readonly read: (bytes: Uint8Array) => unknown
  /** Writes what was read; null if this value has no bytes of its own. */
  readonly write?: (value: unknown) => Uint8Array | null
}
