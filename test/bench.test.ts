import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { measureDisk } from '../bench/disk.ts'
import { measureEnsemble } from '../bench/ensemble.ts'
import { measureLocal } from '../bench/local.ts'
import { measureLocks } from '../bench/lock-comparison.ts'
import { LOCK_ENGINES } from '../bench/lock-engines.ts'
import type { Figure } from '../bench/measure.ts'
import { percentiles, spread } from '../bench/measure.ts'
import { RECIPE_CYCLES } from '../bench/recipe-cycles.ts'
import { measureRecipes } from '../bench/recipes.ts'
import { tableOf } from '../bench/report.ts'
import { compiledPackage } from './engines/quorate-server.ts'
import { reasonToSkipZooKeeper } from './engines/zookeeper.ts'
import { hasCurator, hasKazoo } from './polyglot/programs.ts'

/** As little as there can be: the numbers mean nothing here. */
const EFFORT = { warmUpMs: 1, roundMs: 1, rounds: 1, events: 1, handOvers: 1, contentionMs: 50, contenders: [3] }

it('measures every figure, and finds that a release wakes exactly one waiter', async () => {
  const figures: Figure[] = []
  for await (const figure of measureLocal(EFFORT)) figures.push(figure)
  const names = figures.map(({ figure, size }) => `${figure} @ ${size}`)
  for (const size of [1, 16, 256]) {
    for (const name of ['create', 'set', 'get', '90/10 mix']) expect(names).toContain(`${name} @ ${size}`)
  }
  const others = [
    'async-mutex cycle @ 1', 'hand-over @ 100',
    'config change to all @ 100', 'election after a crash @ 3',
  ]
  expect(names).toEqual(expect.arrayContaining(others))
  expect(new Set(names).size).toBe(names.length)
  expect(figures.filter(({ value }) => !(value > 0 && Number.isFinite(value)))).toEqual([])
  const woken = figures.filter(({ figure }) => figure === 'waiters woken')
  expect(woken.map(({ size, value }) => [size, value])).toEqual([[10, 1], [100, 1]])
  expect(tableOf(figures).split('\n')).toHaveLength(figures.length + 2)
})

it('measures locks on every engine that is installed, and rivals on the same; what is missing is told', async () => {
  const figures: Figure[] = []
  for await (const figure of measureLocks(EFFORT)) figures.push(figure)
  const names = figures.map(({ figure, size }) => `${figure} @ ${size}`)
  const present = LOCK_ENGINES.filter(({ missing }) => missing() === null).map(({ name }) => name)
  for (const name of present) {
    for (const figure of ['get', 'set', 'lock cycle']) expect(names).toContain(`${name}: ${figure} @ 1`)
    for (const figure of ['hand-over', 'served out of turn']) expect(names).toContain(`${name}: ${figure} @ 3`)
  }
  const rivals = { etcd: ['etcd3'], Redis: ['redlock', 'redlock, eager', 'redis-semaphore'] }
  for (const [name, others] of Object.entries(rivals)) {
    if (!present.includes(name)) continue
    for (const rival of others) {
      expect(names).toContain(`${rival}: hand-over @ 3`)
      expect(names).toContain(`${name} / ${rival}: p99 wait @ 3`)
    }
  }
  expect(new Set(names).size).toBe(names.length)
})

const skip = reasonToSkipZooKeeper()

it('measures every recipe, with the requests that it takes', async () => {
  const figures: Figure[] = []
  for await (const figure of measureRecipes(EFFORT, { engines: ['embedded'] })) figures.push(figure)
  expect(figures.map(({ figure, size }) => [figure, size])).toEqual(
    RECIPE_CYCLES.map(({ name, lanes }) => [`embedded: ${name}`, lanes]),
  )
  // An allocator of ids asks for none as long as its block lasts.
  const asking = figures.filter(({ figure }) => !figure.includes('IdAllocator'))
  expect(asking.filter(({ value, requests }) => !(value > 0 && (requests ?? 0) > 0))).toEqual([])
  expect(figures.find(({ figure }) => figure.includes('ExclusiveLock'))).toMatchObject({ requests: 3 })
})

const rivals = [hasCurator ? 'Curator' : [], hasKazoo ? 'kazoo' : []].flat()
const noRivals = skip ?? (rivals.length === 2 ? null : 'Curator or kazoo is not installed')

it.skipIf(noRivals !== null)(`measures recipes of others${noRivals === null ? '' : ` (${noRivals})`}`, async () => {
  const figures: Figure[] = []
  const cycles = RECIPE_CYCLES.filter(({ rival, lanes }) => rival !== null && (lanes === 1 || rival === 'lock'))
  const folder = fileURLToPath(new URL('../bench', import.meta.url))
  for await (const figure of measureRecipes(EFFORT, { engines: ['ZooKeeper'], cycles, folder })) figures.push(figure)
  const names = figures.map(({ figure, size }) => `${figure} @ ${size}`)
  for (const rival of rivals) {
    const lock = 'FairLock: acquire, release'
    expect(names).toContain(`ZooKeeper: ${lock}, ratio to ${rival} @ 4`)
    const { received } = figures.find(({ figure, size }) => figure === `${rival}: ${lock}` && size === 1) ?? {}
    // A creation, a list, a deletion; and what else it asks for, the first time above all.
    expect(received).toBeGreaterThanOrEqual(3)
  }
  const isMeasured = ({ name }: { readonly name: string }): boolean => {
    return figures.some(({ figure }) => rivals.some((rival) => figure === `${rival}: ${name}`))
  }
  expect(cycles.filter((cycle) => !isMeasured(cycle))).toEqual([])
  expect(new Set(names).size).toBe(names.length)
  expect(figures.filter(({ value }) => !(value > 0))).toEqual([])
}, 120_000)

it.skipIf(skip !== null)(`measures both servers on disk${skip === null ? '' : ` (${skip})`}`, async () => {
  const compiled = compiledPackage()
  const figures: Figure[] = []
  try {
    for await (const figure of measureDisk(EFFORT, `${compiled.path}/dist/cli/main.js`)) figures.push(figure)
  } finally {
    compiled.remove()
  }
  const names = figures.map(({ figure, size }) => `${figure} @ ${size}`)
  for (const name of ['quorate', 'zookeeper']) {
    for (const operation of ['set', 'create', '90/10']) expect(names).toContain(`disk: ${operation}, ${name} @ 256`)
    expect(names).toContain(`disk: bytes for a set of 100 bytes, ${name} @ 256`)
    expect(names).toContain(`disk: start to first answer, nodes, ${name} @ 2000`)
  }
  expect(new Set(names).size).toBe(names.length)
  expect(figures.filter(({ value }) => !(value > 0 && Number.isFinite(value)))).toEqual([])
}, 300_000)

it.skipIf(skip !== null)(`measures both as three processes${skip === null ? '' : ` (${skip})`}`, async () => {
  const compiled = compiledPackage()
  const figures: Figure[] = []
  try {
    for await (const figure of measureEnsemble(EFFORT, compiled.path)) figures.push(figure)
  } finally {
    compiled.remove()
  }
  const names = figures.map(({ figure, size }) => `${figure} @ ${size}`)
  for (const name of ['quorate', 'zookeeper']) {
    for (const operation of ['set', 'create', 'get', '90/10']) {
      expect(names).toContain(`ensemble: ${operation}, ${name} @ 256`)
    }
    for (const end of ['kill -9', 'SIGSTOP']) {
      expect(names).toContain(`ensemble: fail-over after ${end}, tick in ms, ${name} @ 200`)
    }
    expect(names).toContain(`ensemble: start to first write, killed before, ${name} @ 3`)
    expect(names).toContain(`ensemble: FairLock hand-over, ${name} @ 3`)
  }
  expect(new Set(names).size).toBe(names.length)
  expect(figures.filter(({ value }) => !(value > 0 && Number.isFinite(value)))).toEqual([])
}, 300_000)

it('takes the median of the rounds, and percentiles by rank', () => {
  expect(spread([3, 1, 2])).toEqual({ value: 2, min: 1, max: 3, rounds: 3 })
  const latencies = Array.from({ length: 101 }, (_, i) => 100 - i)
  expect(percentiles(latencies)).toEqual({ p50Ms: 50, p99Ms: 99 })
})
