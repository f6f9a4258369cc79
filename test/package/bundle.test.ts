/**
 * `redis()` in a bundle: the program and all that it needs, in ES modules and in CommonJS. An ES module cannot load
 * the ioredis that was put into it if the bundler gives it no `require`: rolldown for no platform does what esbuild
 * does for Node.js.
 */
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisMissing, startRedis } from '../engines/redis.ts'
import type { RedisServer } from '../engines/redis.ts'
import { PublishedPackage } from './published.ts'
import type { Project } from './published.ts'

const BUNDLE_MS_MAX = 300_000

const PROGRAM = `
import { connect, FairLock } from 'quorate'
import { redis } from 'quorate/redis'

async function main() {
  const client = await connect(redis(process.env.REDIS_URL))
  const lease = await new FairLock(client, '/locks/a').acquire({ waitMs: 5_000 })
  console.log(lease.state)
  await lease.release()
  await client.close()
}
main().catch((error) => console.log(error.code, error.outcome, error.message))
`

type Format = 'esm' | 'cjs'
type Platform = 'node' | 'neutral'

/** Bundles the program into `out/` of its project, and answers with the file. */
async function bundle(project: Project, platform: Platform, format: Format, external: string[] = []): Promise<string> {
  project.write('main.js', PROGRAM)
  const build = await rolldown({
    input: join(project.folder, 'main.js'),
    cwd: project.folder,
    platform,
    external: [/^node:/, ...NODE_MODULES, ...external],
    resolve: { conditionNames: format === 'esm' ? ['import'] : ['require'], mainFields: ['main'] },
    logLevel: 'silent',
  })
  const extension = format === 'esm' ? 'mjs' : 'cjs'
  const names = { entryFileNames: `[name].${extension}`, chunkFileNames: `[name].${extension}` }
  await build.write({ dir: join(project.folder, 'out'), format, ...names })
  await build.close()
  return `out/main.${extension}`
}

/** Modules of Node.js that ioredis and its dependencies import without `node:`. */
const NODE_MODULES = [
  'assert', 'crypto', 'diagnostics_channel', 'dns', 'events', 'net', 'os', 'stream', 'string_decoder', 'tls', 'tty',
  'url', 'util',
]

const skipped = redisMissing === null ? '' : ` (${redisMissing})`

describe.skipIf(redisMissing !== null)(`redis() in a bundle${skipped}`, { timeout: BUNDLE_MS_MAX }, () => {
  let published: PublishedPackage
  let server: RedisServer
  let env: NodeJS.ProcessEnv

  beforeAll(async () => {
    published = await PublishedPackage.pack()
    server = await startRedis()
    env = { REDIS_URL: `redis://127.0.0.1:${server.port}` }
  }, BUNDLE_MS_MAX)

  afterAll(async () => {
    await server.close()
    published.remove()
  })

  it.each([['node', 'esm'], ['node', 'cjs'], ['neutral', 'cjs']] as const)(
    'works without anything installed, for platform %s as %s',
    async (platform, format) => {
      const project = published.project('module', ['ioredis'])
      const file = await bundle(project, platform, format)
      project.remove('node_modules')
      expect((await project.node(file, [], env)).output).toBe('held\n')
    },
  )

  it('takes the installed ioredis where the one in the bundle does not load', async () => {
    const project = published.project('module', ['ioredis'])
    const file = await bundle(project, 'neutral', 'esm')
    expect((await project.node(file, [], env)).output).toBe('held\n')
  })

  it('says why, and what to do, if the one in the bundle does not load and none is installed', async () => {
    const project = published.project('module', ['ioredis'])
    const file = await bundle(project, 'neutral', 'esm')
    project.remove('node_modules')
    const { output } = await project.node(file, [], env)
    expect(output).toMatch(/^UNSUPPORTED not-sent the ioredis in this bundle does not load \(.*require.*\), and /)
    expect(output).toMatch(/: keep it out of the bundle, as an external package, and npm install ioredis\n$/)
  })

  it.each(['esm', 'cjs'] as const)('asks for an ioredis that was left out and is missing, as %s', async (format) => {
    const project = published.project('module', ['ioredis'])
    const file = await bundle(project, 'node', format, ['ioredis'])
    expect((await project.node(file, [], env)).output).toBe('held\n')
    project.remove('node_modules/ioredis')
    const { output } = await project.node(file, [], env)
    const message = 'quorate/redis needs the package ioredis, version 5 or 6, beside it: npm install ioredis'
    expect(output).toBe(`UNSUPPORTED not-sent ${message}\n`)
  })

  it('does not say that ioredis is missing if something that it needs is', async () => {
    const project = published.project('module', ['ioredis'])
    project.write('main.mjs', PROGRAM)
    project.remove('node_modules/denque')
    const { output } = await project.node('main.mjs', [], env)
    expect(output).toMatch(/^UNSUPPORTED not-sent ioredis does not load: Cannot find module 'denque'/)
  })
})
