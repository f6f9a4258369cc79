/**
 * The recipe for Jest, with Jest itself. It is not among the packages that the repository installs, since it brings
 * three hundred others: where QUORATE_JEST is 1, as in CI, it is installed for this test alone.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { block } from './documented.ts'
import { PublishedPackage, run } from './published.ts'
import type { Project, Ran } from './published.ts'

const TOOLS = ['jest@30.5.2', 'ts-jest@29.4.15', '@types/jest@30.0.0', 'typescript@5.9.3', '@types/node@20.19.25']
const NODE_MAJOR = Number(process.versions.node.split('.')[0])
const INSTALL_MS_MAX = 600_000
const TEST_MS_MAX = 300_000

/** The compiler options of Nest's templates, as far as they matter to what a module becomes. */
const TEMPLATES = {
  'Nest 10': { module: 'commonjs', target: 'ES2021', baseUrl: './', allowSyntheticDefaultImports: true },
  'Nest 11': {
    module: 'nodenext', moduleResolution: 'nodenext', resolvePackageJsonExports: true, esModuleInterop: true,
    isolatedModules: true, target: 'ES2023', baseUrl: './',
  },
}

const SPEC = `
import { connect, FairLock, isCoordinationError } from 'quorate'
import { embedded } from 'quorate/embedded'
import { redis } from 'quorate/redis'
import { modelBackend } from 'quorate/testing'
import { useEnsemble } from 'quorate/testing/jest'

declare global { namespace jest { interface Matchers<R> { toBeHeld(): R; toFailWith(code: string): Promise<R> } } }

const backends = [['embedded', () => embedded({ servers: 3 })], ['model', () => modelBackend()]] as const

describe.each(backends)('%s', (_, make) => {
  it('has one holder at a time', async () => {
    const client = await connect(make())
    const lease = await new FairLock(client, '/locks/a').acquire({ waitMs: 5_000 })
    expect(lease.state).toBe('held')
    await lease.release()
    expect(isCoordinationError(await client.get('/nothing').catch((error: unknown) => error), 'NO_NODE')).toBe(true)
    await client.close()
  })
})

describe('an ensemble of a file', () => {
  const { connect } = useEnsemble()

  it('is there, with matchers', async () => {
    const client = await connect()
    expect(await new FairLock(client, '/locks/b').acquire()).toBeHeld()
    await expect(client.get('/nothing')).toFailWith('NO_NODE')
  })

  it('is as new for the next test', async () => {
    expect((await (await connect()).children('/')).names).toEqual(['zookeeper'])
  })
})

it('says that ioredis is missing', async () => {
  await expect(connect(redis('redis://127.0.0.1:1'))).rejects.toThrow('npm install ioredis')
})
`

const skip = process.env['QUORATE_JEST'] === '1' ? null : 'skipped: QUORATE_JEST is not 1'

describe.skipIf(skip !== null)(`Jest${skip === null ? '' : ` (${skip})`}`, { timeout: TEST_MS_MAX }, () => {
  let published: PublishedPackage
  let project: Project

  beforeAll(async () => {
    published = await PublishedPackage.pack()
    project = published.project('commonjs')
    const npm = ['install', '--no-audit', '--no-fund', '--no-save', ...TOOLS]
    const { status, output } = await run('npm', npm, project.folder)
    if (status !== 0) throw new Error(`npm ${npm.join(' ')}:\n${output}`)
    published.install(project)
    project.write('src/lock.spec.ts', SPEC)
  }, INSTALL_MS_MAX)

  afterAll(() => {
    published.remove()
  })

  function jest(config: object): Promise<Ran> {
    project.write('jest.config.json', JSON.stringify(config))
    return project.node('node_modules/jest/bin/jest.js', [], { NODE_OPTIONS: '', NODE_ENV: 'test' })
  }

  describe.each(Object.entries(TEMPLATES))('with the compiler options of %s', (_, compilerOptions) => {
    const documented = JSON.parse(block('docs/guide/test-with-jest.md', '## With ts-jest', 'json')) as object

    beforeAll(() => {
      project.write('tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck: true } }))
    })

    it('loads the package by the recipe of the page', async () => {
      const { status, output } = await jest(documented)
      expect(output).toContain('5 passed')
      expect(status).toBe(0)
    })

    it.runIf(NODE_MAJOR < 24)('does not load it without, as the page says', async () => {
      const { transformIgnorePatterns, ...without } = documented as Record<string, unknown>
      expect(transformIgnorePatterns).toBeDefined()
      const { output } = await jest(without)
      expect(output).toMatch(/Must use import to load ES Module: .*\/quorate\/dist\/index\.js/)
    })
  })
})
