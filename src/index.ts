/**
 * Coordination recipes for Node.js, and the client that they stand on.
 *
 * @packageDocumentation
 */
export { connect } from './core/client.ts'
export type {
  Client,
  ClientCreateOptions,
  ClientState,
  ConnectOptions,
  Data,
  OwnedResource,
  ReadOptions,
  VersionOptions,
  WaitOptions,
} from './core/client.ts'
export type {
  Backend,
  Capabilities,
  Children,
  Created,
  CreateMode,
  CreateOptions,
  NodeData,
  OpenOptions,
  Operation,
  OperationResult,
  Session,
  SessionState,
  Stat,
  WatchEvent,
  Watcher,
} from './core/backend.ts'
export { CoordinationError, ERROR_CODES, isCoordinationError } from './core/errors.ts'
export type { CoordinationErrorOptions, ErrorCode, Outcome } from './core/errors.ts'
