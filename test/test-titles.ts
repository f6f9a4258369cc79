/** Titles of tests, for pages that name them. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Functions that register a test, a group of tests, or a part with a test, with the title as their first argument. */
const REGISTERS = /^(it|describe|recipeFaults|(\w+P|p)art)\b/

function titlesOf(file: string, seen = new Set<string>()): RegExp[] {
  if (seen.has(file) || !existsSync(join(ROOT, file))) return []
  seen.add(file)
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022)
  const patterns: RegExp[] = []
  const add = (...parts: readonly string[]): void => {
    patterns.push(new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`))
  }
  const visit = (node: ts.Node): void => {
    const isTest = ts.isCallExpression(node) && REGISTERS.test(node.expression.getText(source))
    const title = isTest ? node.arguments[0] : undefined
    if (title && ts.isStringLiteralLike(title)) add(title.text)
    // One that begins with something filled in could be anything.
    if (title && ts.isTemplateExpression(title) && title.head.text !== '') {
      add(title.head.text, ...title.templateSpans.map(({ literal }) => literal.text))
    }
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const imported = join(dirname(file), node.moduleSpecifier.text)
      if (imported.startsWith('test/')) patterns.push(...titlesOf(imported, seen))
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return patterns
}

const titlesByFile = new Map<string, RegExp[]>()

/**
 * Patterns of the titles in a file, and in those under test/ that it imports; what is filled in may be anything.
 *
 * @param file - from the root of the repository
 */
export function titlesIn(file: string): readonly RegExp[] {
  const known = titlesByFile.get(file) ?? titlesOf(file)
  titlesByFile.set(file, known)
  return known
}
