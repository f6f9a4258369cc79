/** Rules about code that nobody uses: exports, and members of classes. */
import ts from 'typescript'
import { describesOthers, exportsOf, importsOf, isCode, isSource, parse } from './source-files.ts'
import type { File } from './source-files.ts'

const BUILD = ts.readConfigFile('tsconfig.build.json', (path) => ts.sys.readFile(path)).config as { files: string[] }
/** The files that others begin with: applications, a browser, a shell. */
export const ENTRY_POINTS = [
  ...BUILD.files,
  ...['src/dashboard/page/main.tsx', 'sim/main.ts', 'sim/worker.ts', 'chaos/main.ts', 'chaos/migrate.ts'],
]

/** Exports that nobody imports, but those of types that describe other exports of their file. */
export function checkDeadExports(files: readonly File[]): string[] {
  const used = new Set<string>()
  for (const file of files.filter(isCode)) {
    for (const { target, names } of importsOf(file)) for (const name of names) used.add(`${target}#${name}`)
  }
  const inner = files.filter((file) => isSource(file) && !ENTRY_POINTS.includes(file.path))
  return inner.flatMap((file) =>
    [...new Set(exportsOf(file))]
      .filter((name) => !used.has(`${file.path}#${name}`) && !used.has(`${file.path}#*`))
      .filter((name) => !describesOthers(file, name))
      .map((name) => `${file.path}: nobody imports ${name}`),
  )
}

/** Members that Nest calls; to list them here is to name them. */
export const CALLED_BY_NEST = ['onApplicationBootstrap', 'beforeApplicationShutdown', 'onApplicationShutdown']

/**
 * A member of a class that no code names but its declarations. Names are compared, and not what they belong to, so a
 * dead member with the name of a living one is not found.
 */
export function checkDeadMembers(files: readonly File[]): string[] {
  const code = files.filter(isCode)
  const named = new Map<string, number>()
  for (const name of code.flatMap(({ text }) => withoutComments(text).match(/[A-Za-z_$][\w$]*/g) ?? [])) {
    named.set(name, (named.get(name) ?? 0) + 1)
  }
  const members: { readonly path: string; readonly owner: string; readonly name: string }[] = []
  for (const file of code) {
    for (const { owner, name, isOfClass } of membersOf(file)) {
      named.set(name, (named.get(name) ?? 0) - 1)
      if (isOfClass && isSource(file)) members.push({ path: file.path, owner, name })
    }
  }
  return members
    .filter(({ name }) => (named.get(name) ?? 0) <= 0)
    .map(({ path, owner, name }) => `${path}: nobody names ${owner}.${name}`)
}

/** The named members of a file's classes and interfaces, where they are declared. */
function membersOf(file: File): { readonly owner: string; readonly name: string; readonly isOfClass: boolean }[] {
  const declared = parse(file).statements.flatMap((statement) => {
    const isOfClass = ts.isClassDeclaration(statement)
    if (!isOfClass && !ts.isInterfaceDeclaration(statement)) return []
    const owner = statement.name?.text ?? ''
    return [...statement.members].map(({ name }) => ({ owner, name, isOfClass }))
  })
  return declared.flatMap(({ owner, name, isOfClass }) => {
    return name !== undefined && ts.isIdentifier(name) ? [{ owner, name: name.text, isOfClass }] : []
  })
}

/** A text without the comments that stand on lines of their own. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\*\*[^]*?\*\/|\/\/.*$)/gm, '')
}
