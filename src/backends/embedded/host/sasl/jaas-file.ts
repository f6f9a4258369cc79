/**
 * The users in a JAAS file, as ZooKeeper's server has them: the options `user_NAME="password"` of the DigestLoginModule
 * in the section `Server`.
 *
 * Rules     Kerberos is refused by name, and so is what only Java could do: other login modules, and system properties
 *           in values. Other sections are passed over. No message shows a value.
 * Source    ServerCnxnFactory.getDigestMd5Credentials; ConfigFile.java of OpenJDK 17 for the format.
 */

import { JAAS_SECTION } from './sasl-settings.ts'

const DIGEST_MODULE = /(^|\.)DigestLoginModule$/
const KERBEROS_MODULE = /(^|\.)Krb5LoginModule$/
const FLAGS: readonly string[] = ['required', 'requisite', 'sufficient', 'optional']
const USER_PREFIX = 'user_'
/** A comment, space, a text in quotes, a mark, or a word. */
const TOKEN = /\/\/[^\n]*|\/\*[^]*?\*\/|\s+|"((?:[^"\\\n]|\\.)*)"|([{};=])|([^\s"{};=/]+|\/)/y

interface Token {
  readonly text: string
  readonly kind: 'mark' | 'word' | 'quoted'
  readonly line: number
}

/**
 * Reads the users of a section.
 *
 * @param file - for messages
 * @throws Error with file and line
 */
export function readJaasUsers(text: string, file: string, section = JAAS_SECTION): ReadonlyMap<string, string> {
  const tokens = tokensOf(text, file)
  const take = new Tokens(tokens, file)
  let users: Map<string, string> | null = null
  while (!take.isAtEnd) {
    const name = take.word('the name of a section')
    take.mark('{')
    const found = readSection(take, name.text === section ? name.text : null)
    take.mark(';')
    if (name.text === section) users = found
  }
  if (users === null) throw new Error(`${file}: it has no section ${section}`)
  if (users.size === 0) throw new Error(`${file}: the section ${section} has no user: user_NAME="password"`)
  return users
}

/** @param section - null if it is passed over */
function readSection(take: Tokens, section: string | null): Map<string, string> {
  const users = new Map<string, string>()
  while (!take.takes('}')) {
    const module = take.word('a login module')
    if (section !== null) checkModule(module, section, take)
    const flag = take.word('a flag')
    if (!FLAGS.includes(flag.text.toLowerCase())) throw take.error(flag, `a flag is one of ${FLAGS.join(', ')}`)
    while (!take.takes(';')) {
      const option = take.word('an option')
      take.mark('=')
      const value = take.value()
      if (section === null || !option.text.startsWith(USER_PREFIX)) continue
      if (/\$\{/.test(value.text)) throw take.error(value, 'system properties in values are not replaced here')
      if (value.text === '') throw take.error(value, 'the password is empty')
      users.set(option.text.slice(USER_PREFIX.length), value.text)
    }
  }
  return users
}

function checkModule(module: Token, section: string, take: Tokens): void {
  if (DIGEST_MODULE.test(module.text)) return
  const what = KERBEROS_MODULE.test(module.text) ? 'Kerberos (GSSAPI) is not spoken here' : 'no Java class is loaded'
  throw take.error(module, `${section} needs the DigestLoginModule: ${what}`)
}

function tokensOf(text: string, file: string): Token[] {
  const tokens: Token[] = []
  const token = new RegExp(TOKEN)
  let line = 1
  while (token.lastIndex < text.length) {
    const [found, quoted, mark, word] = token.exec(text) ?? []
    if (found === undefined) throw new Error(`${file}:${line}: a quotation mark or a comment has no end`)
    if (quoted !== undefined) tokens.push({ text: quoted.replace(/\\(.)/g, '$1'), kind: 'quoted', line })
    else if (mark !== undefined) tokens.push({ text: mark, kind: 'mark', line })
    else if (word !== undefined) tokens.push({ text: word, kind: 'word', line })
    line += found.split('\n').length - 1
  }
  return tokens
}

/** Tokens that are taken one by one. */
class Tokens {
  readonly #tokens: readonly Token[]
  readonly #file: string
  #place = 0

  constructor(tokens: readonly Token[], file: string) {
    this.#tokens = tokens
    this.#file = file
  }

  get isAtEnd(): boolean {
    return this.#place >= this.#tokens.length
  }

  /** Takes a mark, if it is next. */
  takes(mark: string): boolean {
    const next = this.#tokens[this.#place]
    if (next?.kind !== 'mark' || next.text !== mark) return false
    this.#place += 1
    return true
  }

  mark(mark: string): void {
    if (!this.takes(mark)) throw this.error(this.#tokens[this.#place], `there must be a ${mark}`)
  }

  word(what: string): Token {
    return this.#take(what, ({ kind }) => kind === 'word')
  }

  value(): Token {
    return this.#take('a value', ({ kind }) => kind !== 'mark')
  }

  error(token: Token | undefined, what: string): Error {
    return new Error(`${this.#file}:${token?.line ?? this.#tokens.at(-1)?.line ?? 1}: ${what}`)
  }

  #take(what: string, fits: (token: Token) => boolean): Token {
    const next = this.#tokens[this.#place]
    if (next === undefined || !fits(next)) throw this.error(next, `there must be ${what}`)
    this.#place += 1
    return next
  }
}
