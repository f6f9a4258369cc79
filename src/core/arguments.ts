/**
 * Checks of arguments, with the value in the message, and the one place where defaults stand.
 *
 * Errors    misuse is TypeError (a wrong kind of value) or RangeError (a value out of range). An argument that is
 *           valid but exceeds a limit of the engine is CoordinationError with outcome `not-sent`.
 */
import type { Capabilities, CreateMode, CreateOptions, Operation } from './backend.ts'
import type { ClientCreateOptions, CloseOptions, ConnectOptions, Data, MakePathOptions } from './client.ts'
import type { ReadOptions, VersionOptions, WaitOptions } from './client.ts'
import { CoordinationError } from './errors.ts'
import type { ErrorListener } from './session/event-queue.ts'
import { logObserver } from './log-observer.ts'
import type { Logger } from './log-observer.ts'
import type { Observer } from './observer.ts'
import { OBSERVER_METHODS } from './observer.ts'
import { optionNames, refuseUnknown, requireFunction, validateFunction, validateInteger } from './options.ts'
import { validateBoolean, validateSignal, validateTime } from './options.ts'
import { validatePath, validatePrefix } from './path.ts'
import { textOf } from './value-text.ts'

/** Options of a client as they are without a word of the caller. */
const DEFAULTS = Object.freeze({
  /** Prefix of every path. */
  namespace: '/',
  /** How long `connect` tries, in milliseconds. */
  connectTimeoutMs: 15_000,
  /** How long a read is repeated, and a call waits for a session, in milliseconds. */
  operationTimeoutMs: 15_000,
})

/** Options of a client, checked and filled in. */
export interface Settings {
  readonly namespace: string
  /** In milliseconds; undefined leaves it to the engine. */
  readonly sessionTimeoutMs: number | undefined
  readonly connectTimeoutMs: number
  readonly waitForSession: boolean
  readonly operationTimeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly onError: ErrorListener
  readonly observers: readonly Observer[]
}

const CONNECT_OPTIONS = optionNames<ConnectOptions>({
  namespace: true,
  sessionTimeoutMs: true,
  connectTimeoutMs: true,
  waitForSession: true,
  operationTimeoutMs: true,
  signal: true,
  onError: true,
  observer: true,
  logger: true,
})

/** The options of each method of the client. */
const OPTIONS_OF = {
  create: optionNames<ClientCreateOptions>({ mode: true, ttlMs: true, owned: true, signal: true }),
  get: optionNames<ReadOptions>({ watch: true, signal: true }),
  exists: optionNames<ReadOptions>({ watch: true, signal: true }),
  children: optionNames<ReadOptions>({ watch: true, signal: true }),
  set: optionNames<VersionOptions>({ version: true, signal: true }),
  delete: optionNames<VersionOptions>({ version: true, signal: true }),
  multi: optionNames<WaitOptions>({ signal: true }),
  sync: optionNames<WaitOptions>({ signal: true }),
  makePath: optionNames<MakePathOptions>({ mode: true, signal: true }),
  close: optionNames<CloseOptions>({ drainMs: true }),
} as const

/** The fields of an operation, by its type. */
const FIELDS_OF = {
  create: optionNames<Extract<Operation, { type: 'create' }>>({
    type: true,
    path: true,
    data: true,
    mode: true,
    ttlMs: true,
    owned: true,
  }),
  set: optionNames<Extract<Operation, { type: 'set' }>>({ type: true, path: true, data: true, version: true }),
  delete: optionNames<Extract<Operation, { type: 'delete' }>>({ type: true, path: true, version: true }),
  check: optionNames<Extract<Operation, { type: 'check' }>>({ type: true, path: true, version: true, czxid: true }),
} as const

const SEQUENTIAL: Readonly<Record<CreateMode, boolean>> = {
  persistent: false,
  ephemeral: false,
  'persistent-sequential': true,
  'ephemeral-sequential': true,
  container: false,
  'persistent-with-ttl': false,
}

/** For calls without options. */
export const NO_OPTIONS = Object.freeze({})

const VERSION_MAX = 2 ** 31 - 1
const TTL_MS_MAX = 2 ** 40 - 1

const utf8 = new TextEncoder()

/**
 * Checks the options of `connect` and fills in the defaults.
 *
 * @throws TypeError or RangeError with the option's name and value
 */
export function settingsOf(options: ConnectOptions): Settings {
  refuseUnknown(options, CONNECT_OPTIONS, 'connect')
  const { namespace = DEFAULTS.namespace, sessionTimeoutMs, signal, onError = emitWarning } = options
  const { connectTimeoutMs = DEFAULTS.connectTimeoutMs, operationTimeoutMs = DEFAULTS.operationTimeoutMs } = options
  const { waitForSession = true } = options
  validatePath(namespace, 'namespace')
  if (sessionTimeoutMs !== undefined) validateTime('sessionTimeoutMs', sessionTimeoutMs)
  validateTime('connectTimeoutMs', connectTimeoutMs)
  validateTime('operationTimeoutMs', operationTimeoutMs)
  validateBoolean('waitForSession', waitForSession)
  validateSignal(signal)
  requireFunction('onError', onError)
  const observers = [...observersOf(options.observer), ...logObserversOf(options.logger)]
  const times = { sessionTimeoutMs, connectTimeoutMs, operationTimeoutMs }
  return { namespace, ...times, waitForSession, signal, onError, observers }
}

function observersOf(given: Observer | readonly Observer[] | undefined): readonly Observer[] {
  if (given === undefined) return []
  const observers: readonly unknown[] = Array.isArray(given) ? [...(given as readonly unknown[])] : [given]
  observers.forEach(validateObserver)
  return observers as readonly Observer[]
}

function logObserversOf(logger: Logger | undefined): readonly Observer[] {
  if (logger === undefined) return []
  // A logger may be a function, as some are.
  if ((typeof logger !== 'object' && typeof logger !== 'function') || (logger as unknown) === null) {
    throw new TypeError(`logger must have the methods debug, info and warn, got ${textOf(logger)}`)
  }
  const methods: Readonly<Record<keyof Logger, unknown>> = logger
  for (const method of ['debug', 'info', 'warn'] as const) requireFunction(`logger.${method}`, methods[method])
  return [logObserver(logger)]
}

function validateObserver(observer: unknown): void {
  if (typeof observer !== 'object' || observer === null) {
    throw new TypeError(`observer must be an object with methods such as onCall, got ${textOf(observer)}`)
  }
  for (const method of OBSERVER_METHODS) {
    validateFunction(`observer.${method}`, (observer as Record<keyof Observer, unknown>)[method])
  }
}

/**
 * Checks the names of a method's options, and that they are an object. Calls without options cost nothing.
 *
 * @throws TypeError which names the one that is wrong
 */
export function validateOptions(method: keyof typeof OPTIONS_OF, options: object): void {
  if (options !== NO_OPTIONS) refuseUnknown(options, OPTIONS_OF[method], method)
}

/** Checks a path of a create, which for the sequential modes is only the beginning of one. */
export function validateCreatePath(path: string, mode: CreateMode): void {
  if (SEQUENTIAL[mode]) validatePrefix(path)
  else validatePath(path)
}

/** Whether a mode appends a counter to the path. */
export function isSequential(mode: CreateMode): boolean {
  return SEQUENTIAL[mode]
}

/**
 * Checks the options of a create.
 *
 * @returns them, without what is not given
 * @throws CoordinationError `UNSUPPORTED` with outcome `not-sent` if the engine has no such nodes
 */
export function createOptionsOf(
  { mode = 'persistent', ttlMs, owned }: Partial<CreateOptions>,
  path: string,
  engine: Capabilities,
): CreateOptions {
  validateMode(mode, ttlMs, path, engine)
  if (owned !== undefined && typeof owned !== 'boolean') {
    throw new TypeError(`owned must be a boolean, got ${textOf(owned)}`)
  }
  if (owned === true && !isEphemeral(mode)) throw new TypeError(`owned is for ephemeral nodes, got mode ${mode}`)
  return { mode, ...(ttlMs === undefined ? {} : { ttlMs }), ...(owned === true ? { owned } : {}) }
}

function isEphemeral(mode: CreateMode): boolean {
  return mode === 'ephemeral' || mode === 'ephemeral-sequential'
}

function validateMode(mode: CreateMode, ttlMs: number | undefined, path: string, engine: Capabilities): void {
  if (typeof mode !== 'string' || !Object.hasOwn(SEQUENTIAL, mode)) {
    throw new TypeError(`mode must be one of ${Object.keys(SEQUENTIAL).join(', ')}, got ${textOf(mode)}`)
  }
  if (mode !== 'persistent-with-ttl') {
    if (ttlMs !== undefined) throw new TypeError(`ttlMs is for persistent-with-ttl, got ${textOf(ttlMs)} with ${mode}`)
  } else if (ttlMs === undefined) {
    throw new TypeError(`ttlMs must be given with mode ${mode}`)
  } else {
    validateInteger('ttlMs', ttlMs, 1, TTL_MS_MAX)
  }
  const hasMode =
    mode === 'container' ? engine.containers : mode !== 'persistent-with-ttl' || engine.ttlGranularityMs !== null
  if (hasMode) return
  throw new CoordinationError('UNSUPPORTED', `the engine has no ${mode} nodes`, { outcome: 'not-sent', path })
}

/** Checks a version to compare with. */
export function validateVersion(version: number): void {
  validateInteger('version', version, -1, VERSION_MAX)
}

/**
 * The bytes of a node's data. They are a copy, since servers in this process would share them with the caller.
 *
 * @throws CoordinationError `PAYLOAD_TOO_LARGE` with outcome `not-sent`
 */
export function bytesOf(data: Data, path: string, engine: Capabilities): Uint8Array {
  if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
    throw new TypeError(`data must be a string or a Uint8Array, got ${textOf(data)}`)
  }
  const bytes = typeof data === 'string' ? utf8.encode(data) : new Uint8Array(data)
  refuseOversize(bytes.length, engine, path)
  return bytes
}

/**
 * Checks the operations of a multi, and gives them with data of their own.
 *
 * @param onServers - gives the path on the servers for a path of the caller, which for the sequential modes is a prefix
 * @throws TypeError or RangeError with the index; CoordinationError `PAYLOAD_TOO_LARGE` for one or all together
 */
export function operationsOf(
  operations: readonly Operation[],
  engine: Capabilities,
  onServers: (path: string, isPrefix: boolean) => string,
): Operation[] {
  const list: unknown = operations
  if (!Array.isArray(list)) throw new TypeError(`operations must be an array, got ${textOf(operations)}`)
  let bytes = 0
  // Not by a map of the caller's array, which would pass over what is missing in it.
  const checked = Array.from(operations, (operation) => {
    const canonical = operationOf(operation, engine)
    const isPrefix = canonical.type === 'create' && isSequential(canonical.mode)
    bytes += onServers(canonical.path, isPrefix).length + ('data' in canonical ? canonical.data.length : 0)
    return canonical
  })
  refuseOversize(bytes, engine)
  return checked
}

/**
 * Checks one operation of a multi, and gives it with data of its own.
 *
 * @throws TypeError or RangeError that names the fault; CoordinationError `PAYLOAD_TOO_LARGE`, `UNSUPPORTED`
 */
export function operationOf(operation: Operation, engine: Capabilities): Operation {
  validateFields(operation)
  switch (operation.type) {
    case 'create': {
      const { type, path, data } = operation
      const options = createOptionsOf(operation, path, engine)
      validateCreatePath(path, options.mode)
      return { type, path, data: bytesOf(data, path, engine), ...options }
    }
    case 'set': {
      const { type, path, data, version } = operation
      validatePath(path)
      validateVersion(version)
      return { type, path, data: bytesOf(data, path, engine), version }
    }
    case 'delete': {
      const { type, path, version } = operation
      validatePath(path)
      validateVersion(version)
      return { type, path, version }
    }
    case 'check': {
      const { type, path, version, czxid } = operation
      validatePath(path)
      validateVersion(version)
      if (czxid !== undefined && typeof czxid !== 'bigint') {
        throw new TypeError(`czxid must be a bigint, got ${textOf(czxid)}`)
      }
      const check = { type, path, version }
      return czxid === undefined ? check : { ...check, czxid }
    }
  }
}

function validateFields(operation: Operation): void {
  const type: unknown = (operation as Operation | null | undefined)?.type
  if (typeof type === 'string' && Object.hasOwn(FIELDS_OF, type)) {
    refuseUnknown(operation, FIELDS_OF[type as Operation['type']], `the operation ${type} of a multi`)
    return
  }
  const got = type === undefined ? textOf(operation) : `type ${textOf(type)}`
  throw new TypeError(`an operation of a multi must be a create, set, delete or check, got ${got}`)
}

function refuseOversize(bytes: number, engine: Capabilities, path?: string): void {
  if (bytes <= engine.dataBytesMax) return
  const message = `${bytes} bytes are more than the ${engine.dataBytesMax} that the engine takes`
  const where = path === undefined ? {} : { path }
  throw new CoordinationError('PAYLOAD_TOO_LARGE', message, { outcome: 'not-sent', ...where })
}

/** Errors without a caller are shown as process warnings: seen by default with their stack, and never fatal. */
function emitWarning(error: unknown, where?: string): void {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : textOf(error)
  globalThis.process.emitWarning(where === undefined ? text : `${where} threw ${text}`, {
    type: 'QuorateWarning',
    detail: error instanceof Error ? stackOf(error) : '',
  })
}

function stackOf({ stack, cause }: Error): string {
  return cause instanceof Error ? `${stack ?? ''}\nCaused by ${cause.stack ?? cause.message}` : (stack ?? '')
}
