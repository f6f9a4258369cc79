/** Where the package comes from: its bytes, the packages that it needs, their licences and what they run. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PublishedPackage, ROOT, run } from './published.ts'

interface Locked {
  readonly version: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly peer?: boolean
  readonly devOptional?: boolean
  readonly hasInstallScript?: boolean
  readonly integrity?: string
  readonly resolved?: string
}

const PACK_MS_MAX = 300_000
const text = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
const { packages } = JSON.parse(text) as { readonly packages: Readonly<Record<string, Locked>> }
const locked = Object.entries(packages).filter(([path]) => path !== '')
/** Installed with the package itself. */
const needed = locked.filter(([, { dev, optional, peer, devOptional }]) => {
  return [dev, optional, peer, devOptional].every((is) => is !== true)
})

/** For what is installed with the package. */
const LICENCES: ReadonlySet<string> = new Set(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause'])
/** For tools of development, which are no part of it. */
const LICENCES_OF_TOOLS: ReadonlySet<string> = new Set([
  ...LICENCES, '0BSD', 'BlueOak-1.0.0', 'CC0-1.0', 'MPL-2.0', 'Python-2.0',
])
/** Tools whose lock entry names no licence; their files say MIT. */
const UNNAMED = ['node_modules/busboy', 'node_modules/streamsearch']
/** Tools that would run a script when they are installed; none of them needs it. */
const WITH_SCRIPTS = ['node_modules/protobufjs', 'node_modules/vitepress/node_modules/esbuild']

describe('the archive', () => {
  it('has the same bytes, packed from two copies', { timeout: PACK_MS_MAX }, async () => {
    const digests: string[] = []
    for (let i = 0; i < 2; i++) {
      const published = await PublishedPackage.pack()
      digests.push(published.digest)
      published.remove()
    }
    expect(digests[0]).toMatch(/^[0-9a-f]{128}$/)
    expect(digests[1]).toBe(digests[0])
  })
})

describe('the packages in the lock file', () => {
  it('that are installed with the package are these alone', () => {
    expect(needed.map(([path]) => path.replace('node_modules/', '')).sort()).toEqual([
      'eventemitter3', 'is-network-error', 'p-queue', 'p-retry', 'p-timeout',
    ])
  })

  it('have a licence that is allowed', () => {
    expect(needed.filter(([, { license = '' }]) => !LICENCES.has(license))).toEqual([])
    const others = locked.filter(([, { license = '' }]) => !LICENCES_OF_TOOLS.has(license))
    expect(others.map(([path]) => path)).toEqual(UNNAMED)
    const textOf = (path: string): string => readFileSync(join(ROOT, path, 'LICENSE'), 'utf8')
    for (const path of UNNAMED) expect(textOf(path)).toContain('Permission is hereby')
  })

  it('run nothing when they are installed, but for those that are named', () => {
    const running = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true)
    expect(running.map(([path]) => path)).toEqual(WITH_SCRIPTS)
    expect(running.filter(([, { dev }]) => dev !== true)).toEqual([])
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
    const names = ['preinstall', 'install', 'postinstall', 'prepare']
    expect(names.filter((name) => Object.hasOwn(manifest.scripts, name))).toEqual([])
  })

  it('are known by their bytes, and come from no place that is named', () => {
    expect(locked.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? '')).map(([path]) => path)).toEqual([])
    expect(locked.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
  })
})

it('the bill of materials is made without a network, and has what is installed with the package', async () => {
  const { status, output } = await run('npm', ['run', '--silent', 'sbom', '--offline'], ROOT)
  expect(status, output).toBe(0)
  const bill = JSON.parse(output) as {
    readonly bomFormat: string
    readonly components: readonly { readonly name: string; readonly version: string; readonly scope?: string }[]
  }
  expect(bill.bomFormat).toBe('CycloneDX')
  const names = bill.components.map(({ name, version }) => `${name}@${version}`)
  expect(names).toEqual(expect.arrayContaining(needed.map(([path, { version }]) => `${path.slice(13)}@${version}`)))
})
