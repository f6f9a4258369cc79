/**
 * JSON in pieces: a long value is made while it is sent.
 *
 * Numbers   a bigint becomes a number with all of its digits, as the reference prints a Java long.
 * Source    RFC 8259.
 */

/** An object whose members are made while it is written. */
export class Members {
  readonly entries: Iterable<readonly [string, JsonValue]>

  /** Takes the members in their order. */
  constructor(entries: Iterable<readonly [string, JsonValue]>) {
    this.entries = entries
  }
}

/** A value that can be written. An iterable becomes an array. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Members
  | Iterable<JsonValue>
  | { readonly [key: string]: JsonValue }

const INDENT = '  '

/** The text of a value, with an indented line for each element. */
export function* jsonPieces(value: JsonValue, indent = ''): Generator<string> {
  if (typeof value === 'bigint') yield value.toString()
  else if (typeof value !== 'object' || value === null) yield JSON.stringify(value)
  else if (value instanceof Members) yield* bracketed('{', '}', membersOf(value.entries, indent), indent)
  else if (isIterable(value)) yield* bracketed('[', ']', elementsOf(value, indent), indent)
  else yield* bracketed('{', '}', membersOf(Object.entries(value), indent), indent)
}

function isIterable(value: object): value is Iterable<JsonValue> {
  return Symbol.iterator in value
}

function* membersOf(entries: Iterable<readonly [string, JsonValue]>, indent: string): Generator<Iterable<string>> {
  for (const [key, value] of entries) yield memberOf(key, value, indent)
}

function* memberOf(key: string, value: JsonValue, indent: string): Generator<string> {
  yield `${JSON.stringify(key)} : `
  yield* jsonPieces(value, indent + INDENT)
}

function* elementsOf(values: Iterable<JsonValue>, indent: string): Generator<Iterable<string>> {
  for (const value of values) yield jsonPieces(value, indent + INDENT)
}

function* bracketed(open: string, close: string, parts: Iterable<Iterable<string>>, indent: string): Generator<string> {
  let count = 0
  yield open
  for (const part of parts) {
    yield `${count === 0 ? '' : ','}\n${indent}${INDENT}`
    yield* part
    count += 1
  }
  yield count === 0 ? close : `\n${indent}${close}`
}
