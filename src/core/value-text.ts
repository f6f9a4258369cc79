/**
 * Values of callers in messages: short, never a password of a URL, and it never throws, whatever the value is.
 */

/** Longer strings are cut, so that a message stays one. In characters. */
const STRING_CHARS_MAX = 200

/** Describes a value, to be put after `got`. Objects are named by their class only: their contents may be secret. */
export function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(shortened(withoutPassword(value)))
    case 'function':
      return 'a function'
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : withArticle(classOf(value))
    case 'bigint':
      return `${value}n`
    default:
      return String(value)
  }
}

/** A text without what stands between `//` and `@`, up to the last one: a password may hold `/` and `@` itself. */
export function withoutPassword(text: string): string {
  return text.replace(/\/\/.*@/s, '//...@')
}

function shortened(text: string): string {
  return text.length <= STRING_CHARS_MAX ? text : `${text.slice(0, STRING_CHARS_MAX)}... (${text.length} characters)`
}

function classOf(value: object): string {
  try {
    const { constructor } = value
    return typeof constructor === 'function' && constructor !== Object ? constructor.name || 'object' : 'object'
  } catch {
    // A getter or a proxy of the caller.
    return 'object'
  }
}

function withArticle(name: string): string {
  return `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`
}
