/**
 * The package as it is published: built from a copy of the repository, packed, and unpacked into projects outside of
 * it, where nothing but the package's own dependencies is to be found.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { repository } from '../source-files.ts'

/** The root of the repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const MODULES = join(ROOT, 'node_modules')
const OUTPUT_BYTES_MAX = 16 * 2 ** 20

/** The part of package.json that the tests look at. */
export interface Manifest {
  readonly version: string
  readonly type: string
  readonly main: string
  readonly types: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
}

/** How a program ended. */
export interface Ran {
  readonly status: number
  readonly output: string
}

/** Runs a program to its end, and answers with what it printed on both streams. */
export function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr })
    })
  })
}

/** The packed package, unpacked once, and the projects that install it. */
export class PublishedPackage {
  /** The package's folder, as it is below `node_modules` of a project. */
  readonly folder: string
  /** SHA-512 of the archive that would be published. */
  readonly digest: string
  readonly #root: string

  private constructor(root: string, digest: string) {
    this.digest = digest
    this.#root = root
    this.folder = join(root, 'package')
  }

  /** Builds and packs a copy of the repository. The types are not checked here: `npm run typecheck` does that. */
  static async pack(): Promise<PublishedPackage> {
    const root = mkdtempSync(join(tmpdir(), 'quorate-package-'))
    const copy = join(root, 'repository')
    for (const { path, text } of repository()) {
      mkdirSync(dirname(join(copy, path)), { recursive: true })
      writeFileSync(join(copy, path), text)
    }
    const isPicture = (path: string): boolean => /\.(png|svg)$/.test(path) || !/\.\w+$|\/api$/.test(path)
    cpSync(join(ROOT, 'docs'), join(copy, 'docs'), { recursive: true, filter: isPicture })
    // The API pages are there when they were built; they are not for the package.
    mkdirSync(join(copy, 'docs/api'))
    writeFileSync(join(copy, 'docs/api/index.html'), '')
    symlinkSync(MODULES, join(copy, 'node_modules'))
    await succeed(process.execPath, [tsc('typescript'), '-p', 'tsconfig.build.json', '--noCheck'], copy)
    const vite = join(MODULES, 'vite/bin/vite.js')
    for (const part of ['package', 'page']) {
      const options = ['--config', `vite-${part}.config.ts`, '--logLevel', 'error']
      await succeed(process.execPath, [vite, 'build', ...options], copy)
    }
    await succeed('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', root], copy)
    const archive = readdirSync(root).find((name) => name.endsWith('.tgz')) ?? ''
    await succeed('tar', ['-xzf', archive], root)
    rmSync(copy, { recursive: true })
    const digest = createHash('sha512').update(readFileSync(join(root, archive))).digest('hex')
    return new PublishedPackage(root, digest)
  }

  manifest(): Manifest {
    return JSON.parse(readFileSync(join(this.folder, 'package.json'), 'utf8')) as Manifest
  }

  /** Every file of the package, by its path within it. */
  files(): string[] {
    const entries = readdirSync(this.folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) =>
      join(parentPath, name).slice(this.folder.length + 1).replaceAll('\\', '/'),
    )
  }

  /** Makes a project that has the package, its dependencies and others of the repository's, and nothing else. */
  project(type: 'module' | 'commonjs', others: readonly string[] = []): Project {
    const folder = mkdtempSync(join(this.#root, 'project-'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', private: true, type }))
    const project = new Project(folder)
    this.install(project, others)
    return project
  }

  /** Puts the package, its dependencies and others of the repository's into a project. */
  install({ folder }: Project, others: readonly string[] = []): void {
    const put = (name: string): void => {
      const text = readFileSync(join(MODULES, name, 'package.json'), 'utf8')
      cpSync(join(MODULES, name), join(folder, 'node_modules', name), { recursive: true })
      for (const dependency of Object.keys((JSON.parse(text) as Partial<Manifest>).dependencies ?? {})) put(dependency)
    }
    for (const name of [...Object.keys(this.manifest().dependencies ?? {}), ...others]) put(name)
    cpSync(this.folder, join(folder, 'node_modules/quorate'), { recursive: true })
  }

  /** Removes it, and all projects. */
  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

/** A project of somebody who uses the package. */
export class Project {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true })
    writeFileSync(join(this.folder, name), text)
  }

  remove(name: string): void {
    rmSync(join(this.folder, name), { recursive: true })
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), 'utf8')
  }

  /** Runs a file of the project with Node.js, and the warnings of Node.js left out. */
  node(file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return run(process.execPath, [file, ...args], this.folder, { NODE_NO_WARNINGS: '1', ...env })
  }

  /** Runs a compiler: `typescript` or another name of it in the repository's package.json. */
  tsc(compiler: string, ...args: readonly string[]): Promise<Ran> {
    return run(process.execPath, [tsc(compiler), ...args], this.folder)
  }
}

/** The program of a compiler. */
function tsc(compiler: string): string {
  return join(MODULES, compiler, 'bin/tsc')
}

async function succeed(program: string, args: readonly string[], cwd: string): Promise<void> {
  const { status, output } = await run(program, args, cwd)
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${output}`)
}
