/**
 * The texts of the repository, and what tidiness has to know of them: imports and exports.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A text and where it is, from the root of the repository. */
export interface File {
  readonly path: string
  readonly text: string
}

/** An import of a file. */
export interface Import {
  /** As written, or for a relative one the path from the root of the repository. */
  readonly target: string
  /** The imported names, or `*` for all. */
  readonly names: readonly string[]
}

/** Folders that tools make or bring. */
const NOT_OURS = new RegExp(`^(${[
  ...['node_modules', 'dist', 'dist-examples', 'dist-sim', 'coverage', 'docs/api', '\\.git', 'test/\\.docs'],
  ...['site/dist', 'site/reference', 'site/\\.vitepress/(cache|\\.temp)'],
].join('|')})(/|$)`)

/** Pictures of the documentation. */
const NO_TEXT = /\.png$|^docs\/.*\.svg$/

/** Every text of the repository, in a fixed order. */
export function repository(): File[] {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const walk = (folder: string): File[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (NOT_OURS.test(path) || NO_TEXT.test(path)) return []
      return entry.isDirectory() ? walk(path) : [{ path, text: readFileSync(join(root, path), 'utf8') }]
    })
  return walk('.').sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Whether a file is TypeScript. */
export const isCode = (file: File): boolean => /\.tsx?$/.test(file.path)
/** Whether a file is TypeScript of the source. */
export const isSource = (file: File): boolean => isCode(file) && isInSource(file.path)
/** The source: what is published, and what verifies it. */
export const isInSource = (path: string): boolean => /^(src|sim)\//.test(path)

const parsed = new WeakMap<File, ts.SourceFile>()

/** The syntax tree of a file; made once. */
export function parse(file: File): ts.SourceFile {
  let source = parsed.get(file)
  if (source === undefined) {
    source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2022, true)
    parsed.set(file, source)
  }
  return source
}

const importsSeen = new WeakMap<File, Import[]>()

/** The imports of a file, in whatever way; found once. */
export function importsOf(file: File): readonly Import[] {
  const seen = importsSeen.get(file)
  if (seen !== undefined) return seen
  const found: Import[] = []
  const add = (specifier: ts.Node | undefined, names: readonly string[]): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return
    const { text } = specifier
    found.push({ target: text.startsWith('.') ? join(dirname(file.path), text) : text, names })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings
      const named = bindings !== undefined && ts.isNamedImports(bindings)
      add(node.moduleSpecifier, named ? bindings.elements.map(nameOutside) : ['*'])
    } else if (ts.isExportDeclaration(node)) {
      const named = node.exportClause !== undefined && ts.isNamedExports(node.exportClause)
      add(node.moduleSpecifier, named ? node.exportClause.elements.map(nameOutside) : ['*'])
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], ['*'])
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, ['*'])
    }
    ts.forEachChild(node, visit)
  }
  // Few files import within an expression or a type; of the others, the statements say all.
  if (/\bimport\s*\(/.test(file.text)) visit(parse(file))
  else for (const statement of parse(file).statements) if (isImportOrExport(statement)) visit(statement)
  importsSeen.set(file, found)
  return found
}

function isImportOrExport(statement: ts.Statement): boolean {
  return ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)
}

/** The name that a specifier has in the module it comes from. */
function nameOutside(specifier: ts.ImportSpecifier | ts.ExportSpecifier): string {
  return (specifier.propertyName ?? specifier.name).text
}

/** The names that a file exports. */
export function exportsOf(file: File): string[] {
  return parse(file).statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) {
      const { exportClause } = statement
      return exportClause !== undefined && ts.isNamedExports(exportClause)
        ? exportClause.elements.map(({ name }) => name.text)
        : []
    }
    if (!hasModifier(statement, ts.SyntaxKind.ExportKeyword)) return []
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText())
    }
    const { name } = statement as ts.DeclarationStatement
    return name === undefined ? [] : [name.getText()]
  })
}

/** Whether a name is of a type that the rest of its file uses, and so describes what others import. */
export function describesOthers(file: File, name: string): boolean {
  const isType = parse(file).statements.some((statement) =>
    (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) && statement.name.text === name,
  )
  const isValue = new RegExp(`export (const|class|function) ${name}\\b`).test(file.text)
  return isType && !isValue && (file.text.match(new RegExp(`\\b${name}\\b`, 'g')) ?? []).length > 1
}

/** Whether a declaration has a modifier, such as `export` or `static`. */
export function hasModifier(node: ts.Node, kind: ts.ModifierSyntaxKind): boolean {
  return ts.canHaveModifiers(node) && node.modifiers?.some((modifier) => modifier.kind === kind) === true
}
