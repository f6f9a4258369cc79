/**
 * Runs tests on mutants of the source, all in this process: each mutant is a project of one Vitest, whose plugin makes
 * its edits where a file is loaded. So a mutant costs the load of one test file and the tests that are run.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import type { TestProjectConfiguration } from 'vitest/config'
import { createVitest } from 'vitest/node'
import type { TestCase, TestModule, TestSuite, Vitest } from 'vitest/node'
import type { Edit } from '../../sim/mutants/mutant.ts'
import { applied } from '../../sim/mutants/patch.ts'
import config from '../../vitest.config.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** As in the runs of the tests themselves: a test that hangs on a mutant has found it, and ends. */
const TEST_MS_MAX = 60_000

/** Code that tests run on: the source with some edits, or with none. */
export interface MutatedSource {
  readonly name: string
  readonly edits: readonly Edit[]
}

/** The outcome of some tests. The first that fails ends the run. */
export interface Verdict {
  /** The names of the tests that passed, each after those of its suites. */
  readonly passed: readonly string[]
  /** The names of those that failed. */
  readonly failed: readonly string[]
  /** Errors outside of any test, of a file that cannot be loaded for example: they say nothing about a rule. */
  readonly errors: readonly string[]
  /** Errors that nobody caught, as they come from code that goes wrong. */
  readonly unhandled: readonly string[]
}

/** Runs tests on sources that are known from the start. */
export class MutatedTests {
  readonly #vitest: Vitest

  private constructor(vitest: Vitest) {
    this.#vitest = vitest
  }

  static async open(sources: readonly MutatedSource[]): Promise<MutatedTests> {
    const projects = sources.map(projectOf)
    return new MutatedTests(await createVitest('test', {
      root: ROOT, config: false, watch: false, maxWorkers: 1, bail: 1, reporters: [{}], projects,
    }))
  }

  /** Runs those tests of a file on a source whose names contain one of these parts; an empty one is in all of them. */
  async run({ name }: MutatedSource, test: string, named: readonly string[]): Promise<Verdict> {
    const project = this.#vitest.projects.find((candidate) => candidate.name === name)
    if (project === undefined) throw new RangeError(`no such source: ${name}`)
    const testNamePattern = new RegExp(named.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'))
    const specification = project.createSpecification(join(ROOT, test), { testNamePattern })
    const { testModules, unhandledErrors } = await this.#vitest.runTestSpecifications([specification])
    // Vitest gives the modules of earlier runs too.
    const ours = testModules.filter((module) => module.project === project && module.moduleId === join(ROOT, test))
    return verdictOf(ours, unhandledErrors)
  }

  async close(): Promise<void> {
    await this.#vitest.close()
  }
}

function projectOf({ name, edits }: MutatedSource): TestProjectConfiguration {
  const mutate = (text: string, id: string): { code: string; map: null } | null => {
    const ours = edits.filter(({ file }) => id === join(ROOT, 'src', file))
    return ours.length === 0 ? null : { code: ours.reduce((code, edit) => applied(edit, code), text), map: null }
  }
  return {
    root: ROOT,
    resolve: { alias: config.resolve?.alias ?? [] },
    plugins: [{ name: `mutant-${name}`, enforce: 'pre', transform: mutate }],
    test: { name, include: ['test/**/*.test.ts'], pool: 'threads', testTimeout: TEST_MS_MAX },
  }
}

function verdictOf(modules: readonly TestModule[], unhandled: readonly unknown[]): Verdict {
  const namesOf = (state: 'passed' | 'failed'): string[] =>
    modules.flatMap(({ children }) => [...children.allTests(state)].map(nameOf))
  const errors = modules.flatMap((module) =>
    [module, ...module.children.allSuites()].flatMap((part) => part.errors().map(({ message }) => message)),
  )
  const messages = unhandled.map((error) => inspect(error))
  return { passed: namesOf('passed'), failed: namesOf('failed'), errors, unhandled: messages }
}

/** The name of a test as the pattern of a run sees it. */
function nameOf({ name, parent }: TestCase | TestSuite): string {
  return parent.type === 'module' ? name : `${nameOf(parent)} ${name}`
}
