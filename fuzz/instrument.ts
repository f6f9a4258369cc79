/**
 * Counters in a copy of the compiled code: one where each branch begins.
 *
 * Model     texts are put into the code at the places that its syntax tree gives; nothing else of it changes. A fuzzer
 *           with an instrumenter of its own (Jazzer.js) asks for a newer C library than many machines have, and V8's
 *           own coverage takes milliseconds to read: this takes microseconds, and is the same each time.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { PLACES_MAX, TABLE_NAME } from './coverage.ts'

/** The rooms in which inputs are read. */
const ROOMS = ['core', 'backends', 'cli']

interface Insertion {
  readonly at: number
  readonly text: string
  /** Ends come before beginnings at one place. */
  readonly isEnd: boolean
}

/** Puts counters into compiled code; returns how many. */
export function instrument(folder: string): number {
  let places = 0
  for (const room of ROOMS) {
    for (const name of readdirSync(join(folder, 'src', room), { recursive: true, encoding: 'utf8' }).sort()) {
      if (!name.endsWith('.js')) continue
      const file = join(folder, 'src', room, name)
      const { text, count } = instrumented(readFileSync(file, 'utf8'), places)
      writeFileSync(file, text)
      places += count
    }
  }
  if (places > PLACES_MAX) throw new RangeError(`${places} places, ${PLACES_MAX} at most`)
  return places
}

/** A module with counters; the first has this number. */
export function instrumented(text: string, first: number): { readonly text: string; readonly count: number } {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS)
  const insertions: Insertion[] = []
  let count = 0
  const counter = (): string => `__reached[${first + count++}]++`
  const around = (node: ts.Node, open: string, close: string): void => {
    insertions.push({ at: node.getStart(), text: open, isEnd: false })
    visit(node)
    insertions.push({ at: node.getEnd(), text: close, isEnd: true })
  }
  const expression = (node: ts.Expression): void => around(node, `(${counter()}, `, ')')
  const statement = (node: ts.Statement): void => {
    if (ts.isBlock(node)) visit(node)
    else around(node, `{ ${counter()}; `, ' }')
  }
  const visitChildren = (node: ts.Node): void => ts.forEachChild(node, visit)
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) {
      insertions.push({ at: node.getStart() + 1, text: ` ${counter()}; `, isEnd: false })
      visitChildren(node)
    } else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      node.parameters.forEach(visit)
      expression(node.body)
    } else if (ts.isIfStatement(node)) {
      visit(node.expression)
      statement(node.thenStatement)
      if (node.elseStatement !== undefined) statement(node.elseStatement)
    } else if (ts.isConditionalExpression(node)) {
      visit(node.condition)
      expression(node.whenTrue)
      expression(node.whenFalse)
    } else if (ts.isBinaryExpression(node) && isShort(node.operatorToken.kind)) {
      visit(node.left)
      expression(node.right)
    } else if (ts.isIterationStatement(node, false)) {
      ts.forEachChild(node, (child) => (child === node.statement ? statement(node.statement) : visit(child)))
    } else if (ts.isCaseOrDefaultClause(node)) {
      const [head] = node.statements
      if (head !== undefined) insertions.push({ at: head.getStart(), text: `${counter()}; `, isEnd: false })
      visitChildren(node)
    } else visitChildren(node)
  }
  visit(source)
  return { text: `const __reached = ${tableText()};\n${applied(text, insertions)}`, count }
}

function tableText(): string {
  return `(globalThis.${TABLE_NAME} ??= new Uint8Array(${PLACES_MAX}))`
}

function isShort(kind: ts.SyntaxKind): boolean {
  const { AmpersandAmpersandToken, BarBarToken, QuestionQuestionToken } = ts.SyntaxKind
  return kind === AmpersandAmpersandToken || kind === BarBarToken || kind === QuestionQuestionToken
}

function applied(text: string, insertions: readonly Insertion[]): string {
  const sorted = insertions.map((one, index) => ({ ...one, index }))
  sorted.sort((a, b) => a.at - b.at || Number(b.isEnd) - Number(a.isEnd) || a.index - b.index)
  const pieces: string[] = []
  let end = 0
  for (const { at, text: inserted } of sorted) {
    pieces.push(text.slice(end, at), inserted)
    end = at
  }
  return [...pieces, text.slice(end)].join('')
}
