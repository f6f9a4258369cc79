/**
 * Hides secrets in URLs and typed lines, before these are shown or kept. The parser that connects may be strict;
 * this one must hold for every text that somebody took for one, so it errs by hiding too much.
 *
 * Model     in a URL everything before the last `@` is who connects: a password may hold `/`, `?`, `#`, `:` and `@`,
 *           encoded or not. After it, the values of a query are shown only where they are known to be none.
 */
import { nearest } from './nearest.ts'
import { looseWordsOf } from './words.ts'

/** The text in the place of a secret. */
const MASK = '***'

const SCHEME = /^(?:zookeeper|etcds?|rediss?):\/\//

/** Names in the query of a URL whose values are shown. */
const SHOWN_PARAMETERS: ReadonlySet<string> = new Set(['namespace', 'servers'])

/** Commands whose arguments may be a secret. */
const SECRETIVE = ['addauth', 'connect']

/** A URL, or what was given for one, for messages and prompts. */
export function shownUrl(url: string): string {
  const scheme = SCHEME.exec(url)?.[0] ?? ''
  const at = url.lastIndexOf('@')
  if (at >= scheme.length) return `${scheme}${MASK}@${shownQuery(url.slice(at + 1))}`
  const rest = url.slice(scheme.length)
  return scheme + (isHostForgotten(scheme, rest) ? `${rest.slice(0, rest.indexOf(':'))}:${MASK}` : shownQuery(rest))
}

/**
 * Whether a parser may take part of who connects for something else: for the path, for instance, after which the rest
 * would be in labels, and after which one would connect to another host.
 */
export function isAmbiguous(url: string): boolean {
  const rest = url.replace(SCHEME, '')
  const end = rest.search(/[/?#]/)
  return end !== -1 && rest.includes('@', end)
}

/** Whether a line that was typed may hold a secret. */
export function holdsSecret(line: string): boolean {
  const [name = '', ...args] = looseWordsOf(line)
  // Data may be the URL of something else.
  if (/:\/\/.*@/s.test(line)) return true
  const command = nearest(name, SECRETIVE)
  if (command === null) return false
  return command === 'addauth' || line.includes('@') || args.some((word) => shownUrl(word) !== word)
}

/** A line that was typed, for those who look at the history. */
export function shownLine(line: string): string {
  if (!holdsSecret(line)) return line
  const [name = ''] = looseWordsOf(line)
  return nearest(name, SECRETIVE) === null ? MASK : `${name} ${MASK}`
}

/** Whether it is `user:password` only: then what should be a port is none. */
function isHostForgotten(scheme: string, rest: string): boolean {
  if (scheme === '' || scheme.startsWith('zookeeper')) return false
  const [, port] = /^(?:\[[^\]]*\]|[^:/?#]*):(.*)$/s.exec(rest) ?? []
  return port !== undefined && !/^\d*(?:[,/?#]|$)/.test(port)
}

function shownQuery(rest: string): string {
  const start = rest.indexOf('?')
  if (start === -1) return rest
  const parameters = rest.slice(start + 1).split('&').map((parameter) => {
    return SHOWN_PARAMETERS.has(parameter.split('=', 1)[0] ?? '') ? parameter : MASK
  })
  return `${rest.slice(0, start)}?${parameters.join('&')}`
}
