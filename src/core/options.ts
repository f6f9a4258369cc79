/**
 * Checks of options, for every method and constructor that takes options: recipes and backends use it too.
 *
 *     const NAMES = optionNames<AcquireOptions>({ waitMs: true, signal: true })
 *     refuseUnknown(options, NAMES, 'acquire')
 *     validateSignal(options.signal)
 *
 * Errors    misuse is a TypeError (a wrong kind of value, an unknown option) or a RangeError (a number out of range).
 *           The message names the option and says what was given, and never shows the value of an unknown option.
 */
import { textOf } from './value-text.ts'

/** Names in other libraries, and the options they may stand for: a message names the first that the call takes. */
const SYNONYMS: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    timeout: ['waitMs', 'connectTimeoutMs', 'requestTimeoutMs', 'sessionTimeoutMs', 'drainMs'],
    wait: ['waitMs', 'drainMs'],
    maxwait: ['waitMs'],
    deadline: ['waitMs', 'drainMs'],
    sessiontimeout: ['sessionTimeoutMs'],
    ttl: ['ttlMs', 'sessionTimeoutMs'],
    expiry: ['ttlMs', 'sessionTimeoutMs'],
    lease: ['sessionTimeoutMs'],
    connecttimeout: ['connectTimeoutMs'],
    requesttimeout: ['operationTimeoutMs', 'requestTimeoutMs'],
    retry: ['operationTimeoutMs', 'waitMs'],
    drain: ['drainMs'],
    grace: ['drainMs'],
    abort: ['signal'],
    abortsignal: ['signal'],
    controller: ['signal'],
    prefix: ['namespace', 'prefix'],
    chroot: ['namespace', 'prefix'],
    keyprefix: ['namespace', 'prefix'],
    watcher: ['watch'],
    onchange: ['watch'],
    type: ['mode'],
    ephemeral: ['mode'],
    sequential: ['mode'],
    value: ['data'],
    payload: ['data'],
    metadata: ['data'],
    onerror: ['onError'],
    username: ['user'],
    ssl: ['tls'],
    nodes: ['servers', 'endpoints'],
    hosts: ['endpoints'],
    size: ['servers'],
    validate: ['schema'],
    depth: ['maxDepth'],
    selector: ['filter'],
    initial: ['emitInitial'],
    immediate: ['emitInitial'],
  } satisfies Record<string, readonly string[]>),
)

/** Longest name of an unknown option that is looked at and shown, in characters. */
const NAME_CHARS_MAX = 64

/** The longest time that an option may give, in milliseconds: the longest of a timer, 24 days. */
const TIME_MS_MAX = 2 ** 31 - 1

/**
 * The names of the options of a type; one that is missing here, or is too many, does not compile.
 *
 * @param names - each name with `true`
 */
export function optionNames<O>(names: Record<keyof O, true>): ReadonlySet<string> {
  return new Set(Object.keys(names))
}

/**
 * Refuses an option that is not known, and options that are no object.
 *
 * @param options - the options as the caller gave them; undefined stands for none
 * @param known - the names of all options of the call; see {@link optionNames}
 * @param what - the call that takes them, for the message, such as `acquire` or `embedded()`
 * @throws TypeError which names the option, and the one that is likely meant
 */
export function refuseUnknown(options: unknown, known: ReadonlySet<string>, what: string): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} takes an object of options${exampleOf(options, known)}, got ${textOf(options)}`)
  }
  if (options instanceof AbortSignal) {
    throw new TypeError(`${what} takes an object of options, such as { signal }, got an AbortSignal`)
  }
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    throw new TypeError(`${what} has no option ${textOf(name.slice(0, NAME_CHARS_MAX))}${hintOf(name, known)}`)
  }
}

/**
 * Checks a signal.
 *
 * @param signal - undefined stands for none
 * @throws TypeError with the given value
 */
export function validateSignal(signal: unknown, name = 'signal'): asserts signal is AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return
  const hint = signal instanceof AbortController ? ': give its signal' : ''
  throw new TypeError(`${name} must be an AbortSignal, got ${textOf(signal)}${hint}`)
}

/**
 * Checks a callback that may be left out.
 *
 * @throws TypeError with the given value
 */
export function validateFunction(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return
  throw new TypeError(`${name} must be a function, got ${textOf(value)}`)
}

/**
 * Checks a callback that must be there.
 *
 * @throws TypeError with the given value
 */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function, got ${textOf(value)}`)
}

/**
 * Checks a string that has something in it.
 *
 * @throws TypeError with the given value
 */
export function validateText(name: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value !== '') return
  throw new TypeError(`${name} must be a string that is not empty, got ${textOf(value)}`)
}

/**
 * Checks a switch.
 *
 * @throws TypeError with the given value
 */
export function validateBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false, got ${textOf(value)}`)
}

/**
 * Checks a whole number.
 *
 * @throws TypeError for what is no number, RangeError for one that is not whole or out of range
 */
export function validateInteger(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${textOf(value)}`)
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}, got ${value}`)
}

/**
 * Checks a length of time that is more than nothing.
 *
 * @throws TypeError for what is no number, RangeError for one out of range
 */
export function validateTime(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds, got ${textOf(value)}`)
  if (value > 0 && value <= TIME_MS_MAX) return
  throw new RangeError(`${name} must be more than 0 and at most ${TIME_MS_MAX} milliseconds, got ${value}`)
}

/**
 * Checks the limit of a wait: 0 stands for no wait at all, infinity for no limit.
 *
 * @throws TypeError for what is no number, RangeError for NaN and negative ones
 */
export function validateWaitMs(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds, got ${textOf(value)}`)
  if (!(value >= 0)) throw new RangeError(`${name} must be a number of milliseconds, 0 or more, got ${value}`)
}

/**
 * Checks a resource that a client is to close when it closes.
 *
 * @throws TypeError with the given value
 */
export function validateOwned(resource: unknown): void {
  if (hasMethods(resource, ['close'])) return
  throw new TypeError(`own needs something with a method close, got ${textOf(resource)}`)
}

/** Whether something is an object with these methods. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

/** How the value may have been meant. */
function exampleOf(value: unknown, known: ReadonlySet<string>): string {
  if (typeof value === 'number') {
    const name = ['waitMs', 'drainMs', 'version', 'servers'].find((candidate) => known.has(candidate))
    return name === undefined ? '' : `, such as { ${name}: ${value} }`
  }
  const name = typeof value === 'function' ? 'watch' : typeof value === 'string' ? 'mode' : null
  return name !== null && known.has(name) ? `, such as { ${name} }` : ''
}

/** The option that is likely meant, or all options of the call. */
function hintOf(name: string, known: ReadonlySet<string>): string {
  const likely = likeliest(name.slice(0, NAME_CHARS_MAX), known)
  if (likely !== null) return `; did you mean "${likely}"?`
  return known.size === 0 ? '; it has none' : `; it takes ${[...known].join(', ')}`
}

function likeliest(name: string, known: ReadonlySet<string>): string | null {
  const asked = plain(name)
  const synonym = SYNONYMS.get(asked)?.find((candidate) => known.has(candidate))
  if (synonym !== undefined) return synonym
  const ranked = [...known]
    .map((candidate) => ({ candidate, edits: editDistance(asked, plain(candidate)) }))
    .sort((a, b) => a.edits - b.edits)
  const [nearest] = ranked
  if (nearest === undefined) return null
  // A third of the letters wrong is a typing error; more is another word.
  return nearest.edits <= Math.max(1, Math.floor(asked.length / 3)) ? nearest.candidate : null
}

/** A name without what people leave out or write in another way: case, `_`, `-`, and the unit. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '').replace(/(ms|millis|milliseconds|seconds|secs|sec)$/, '')
}

/** How many letters must be put in, left out, replaced or swapped with their neighbour. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : Infinity
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced, swapped))
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
