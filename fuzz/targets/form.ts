/** One form of bytes that comes from outside. */
export interface Form {
  readonly name: string
  /** Valid bytes, always the same. */
  seeds(): readonly Uint8Array[]
  /** Reads bytes. @throws CoordinationError `PROTOCOL_VIOLATION` alone */
  read(bytes: Uint8Array): unknown
  /** Writes what was read; null if this value has no bytes of its own. */
  write?(value: unknown): Uint8Array | null
}
