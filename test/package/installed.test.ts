/**
 * The published package with tools that the repository does not install, since they are large: Jest, for its recipe,
 * and newer versions of Node.js. Where QUORATE_INSTALL is 1, as in CI, they are installed for these tests alone.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { block } from './documented.ts'
import { PublishedPackage, run } from './published.ts'
import type { Project, Ran } from './published.ts'

const TOOLS = ['jest@30.5.2', 'ts-jest@29.4.15', '@types/jest@30.0.0', 'typescript@5.9.3', '@types/node@20.19.25']
const NODE_MAJOR = Number(process.versions.node.split('.')[0])
/** The versions of Node.js that get security fixes, beside the one that runs the tests. */
const VERSIONS = ['22.23.3', '24.21.0', '26.10.0']
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

/** Each engine's code is loaded; a lock is lost and taken over, over TCP, by two clients; a server is started again. */
const ON_DISK = `
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, FairLock } from 'quorate'
import { embedded } from 'quorate/embedded'
import { etcd } from 'quorate/etcd'
import { redis } from 'quorate/redis'
import { zookeeper } from 'quorate/zookeeper'

const dataDir = mkdtempSync(join(tmpdir(), 'quorate-node-'))
const tokens = []
for (const round of [1, 2]) {
  const ensemble = embedded({ servers: 3, dataDir, clientPorts: [0, 0, 0] })
  await ensemble.start()
  const address = ensemble.clientPorts.map((port) => '127.0.0.1:' + port).join()
  const holder = await connect(zookeeper(address))
  const waiter = await connect(zookeeper(address))
  const lease = await new FairLock(holder, '/locks/a').acquire()
  const next = new FairLock(waiter, '/locks/a').acquire()
  await holder.delete(lease.path)
  const taken = await next
  tokens.push(lease.token, taken.token)
  await Promise.all([holder.close(), waiter.close()])
  await ensemble.close()
}
rmSync(dataDir, { recursive: true })
const names = [etcd, redis].map((make) => make.name)
const haveGrown = tokens.every((token, index) => index === 0 || token > tokens[index - 1])
console.log(process.versions.node, names.join(), haveGrown)
`

const skip = process.env['QUORATE_INSTALL'] === '1' ? null : 'skipped: QUORATE_INSTALL is not 1'

let published: PublishedPackage

beforeAll(async () => {
  if (skip === null) published = await PublishedPackage.pack()
}, INSTALL_MS_MAX)

afterAll(() => {
  published?.remove()
})

async function install(packages: readonly string[], project: Project, folder = '.'): Promise<void> {
  const npm = ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder, ...packages]
  const { status, output } = await run('npm', npm, project.folder)
  if (status !== 0) throw new Error(`npm ${npm.join(' ')}:\n${output}`)
}

describe.skipIf(skip !== null)(`Jest${skip === null ? '' : ` (${skip})`}`, { timeout: TEST_MS_MAX }, () => {
  let project: Project

  beforeAll(async () => {
    project = published.project('commonjs')
    await install(TOOLS, project)
    published.install(project)
    project.write('src/lock.spec.ts', SPEC)
  }, INSTALL_MS_MAX)

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

describe.skipIf(skip !== null)(`Node.js${skip === null ? '' : ` (${skip})`}`, { timeout: TEST_MS_MAX }, () => {
  it.each(VERSIONS)('%s runs the first program, and servers on disk', async (version) => {
    const project = published.project('module')
    project.write('first.mjs', block('docs/getting-started.md', '**In JavaScript**', 'js'))
    project.write('program.mjs', ON_DISK)
    const name = `node-${process.platform}-${process.arch}`
    await install([`${name}@${version}`], project, 'runtime')
    const node = join(project.folder, 'runtime/node_modules', name, 'bin/node')
    const quiet = { NODE_NO_WARNINGS: '1' }
    expect(await run(node, ['first.mjs'], project.folder, quiet)).toEqual({ status: 0, output: 'held\n' })
    const ran = await run(node, ['program.mjs'], project.folder, quiet)
    expect(ran).toEqual({ status: 0, output: `${version} etcd,redis true\n` })
  })
})
