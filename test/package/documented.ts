/** The programs and commands in the pages of first contact, found in their text: the tests run these very ones. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './published.ts'

/** A page of the repository. */
export function page(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/**
 * The first block of code of a language after a text, such as a heading.
 *
 * @throws Error if the page has none
 */
export function block(path: string, after: string, language: string): string {
  const text = page(path)
  const start = text.indexOf(after)
  const section = start === -1 ? '' : text.slice(start)
  const code = new RegExp(`^\`\`\`${language}(?: no-run)?\\n(.*?)^\`\`\`$`, 'ms').exec(section)?.[1]
  if (code === undefined) throw new Error(`${path} has no ${language} after "${after}"`)
  return code
}

/** The arguments of `tsc --init` that a page tells of, from the block of commands after a text. */
export function initArguments(path: string, after: string): string[] {
  const line = /^npx tsc (--init .*)$/m.exec(block(path, after, 'sh'))?.[1]
  if (line === undefined) throw new Error(`${path} has no npx tsc --init after "${after}"`)
  return line.replace(/#.*/, '').trim().split(' ')
}
