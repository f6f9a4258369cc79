/** A lint of Lua for faults that a server tells only when the line is reached: names that nobody declares or uses. */

const TOKEN = /--\[\[[^]*?\]\]|--[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\d[\w.]*|[A-Za-z_]\w*|\.{1,3}|[^\s\w]/g
const NAME = /^[A-Za-z_]\w*$/

const KEYWORDS = new Set(
  ('and break do else elseif end false for function goto if in local nil not or repeat return then true until while')
    .split(' '),
)

/** The globals that every Redis gives to a script, as far as scripts of ours may use them. */
const GLOBALS = new Set(
  'ARGV KEYS error ipairs math pairs pcall redis string table tonumber type unpack'.split(' '),
)

/** Finds what is wrong with a script that compiles; a line for each thing. */
export function lintLua(text: string): string[] {
  const tokens = (text.match(TOKEN) ?? []).filter((token) => !token.startsWith('--'))
  const declared = new Map<string, number>()
  const uses = new Map<string, number>()
  const declare = (name: string): void => void declared.set(name, (declared.get(name) ?? 0) + 1)
  const brackets: string[] = []
  for (let at = 0; at < tokens.length; at++) {
    if (/^[({[]$/.test(tokens[at] ?? '')) brackets.push(tokens[at] ?? '')
    else if (/^[)}\]]$/.test(tokens[at] ?? '')) brackets.pop()
    const [token = '', next] = [tokens[at], tokens[at + 1]]
    if (token === 'local' && next !== 'function') namesFrom(tokens, at + 1).forEach(declare)
    else if (token === 'for') namesFrom(tokens, at + 1).forEach(declare)
    else if (token === 'function') declareFunction(tokens, at, declare)
    const isField = ['.', ':'].includes(tokens[at - 1] ?? '') || (brackets.at(-1) === '{' && isKey(tokens, at))
    if (NAME.test(token) && !KEYWORDS.has(token) && !isField) uses.set(token, (uses.get(token) ?? 0) + 1)
  }
  const unknown = [...uses.keys()].filter((name) => !declared.has(name) && !GLOBALS.has(name))
  const unused = [...declared].filter(([name, count]) => uses.get(name) === count && !/^_/.test(name))
  return [
    ...unknown.map((name) => `${name} is declared nowhere: a global, which Redis refuses`),
    ...unused.map(([name]) => `${name} is declared and never used`),
  ]
}

/** `function name(a, b)` after `local`, or a function without a name; of the first, the name is declared too. */
function declareFunction(tokens: readonly string[], at: number, declare: (name: string) => void): void {
  const isNamed = tokens[at + 1] !== '('
  if (isNamed && tokens[at - 1] === 'local') declare(tokens[at + 1] ?? '')
  namesFrom(tokens, at + (isNamed ? 3 : 2)).forEach(declare)
}

/** Names with commas between them. */
function namesFrom(tokens: readonly string[], start: number): string[] {
  const names: string[] = []
  for (let at = start; NAME.test(tokens[at] ?? '') && !KEYWORDS.has(tokens[at] ?? ''); at += 2) {
    names.push(tokens[at] ?? '')
    if (tokens[at + 1] !== ',') break
  }
  return names
}

/** Whether a name within braces is a key of the table, as in `{err = 1}`. */
function isKey(tokens: readonly string[], at: number): boolean {
  return /^[{,;]$/.test(tokens[at - 1] ?? '') && tokens[at + 1] === '=' && tokens[at + 2] !== '='
}
