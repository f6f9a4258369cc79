/** What the pages of first contact tell people to write: found in their text, so that what is tested is what they say. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './published.ts'

/** A page of the repository. */
export function page(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/**
 * The first block of code after a heading, or the next one of that language.
 *
 * @throws Error if the page has none
 */
export function block(path: string, heading: string, language: string): string {
  const [, section] = page(path).split(`${heading}\n`)
  const code = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(section ?? '')?.[1]
  if (code === undefined) throw new Error(`${path} has no ${language} after "${heading}"`)
  return code
}

/** The arguments of `tsc --init` that a page tells of, from the first such command after a heading. */
export function initArguments(path: string, heading: string): string[] {
  const line = /^npx tsc (--init .*)$/m.exec(block(path, heading, 'sh'))?.[1]
  if (line === undefined) throw new Error(`${path} has no npx tsc --init after "${heading}"`)
  return line.replace(/#.*/, '').trim().split(' ')
}
