/** The table of limits: its options, its page, and what operators see of it. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { LIMITS, limitsOf, metricOf } from '../../../src/backends/embedded/host/limits.ts'
import type { Limit, LimitName, LimitOptions } from '../../../src/backends/embedded/host/limits.ts'
import { settingsOf } from '../../../src/backends/embedded/options.ts'
import { answerTo } from './host/clients/raw-client.ts'

const numbers = new Intl.NumberFormat('en')
const names = Object.keys(LIMITS) as LimitName[]

function valueOf({ value, unit }: Limit): string {
  if (value === null) return 'see there'
  return `${numbers.format(value)}${unit === 'count' ? '' : unit === '%' ? ' %' : ` ${unit}`}`
}

function rowOf(name: LimitName): string {
  const limit = LIMITS[name]
  const code = (text: string | null): string => (text === null ? '' : `\`${text}\``)
  const cells = [code(metricOf(name)), code(limit.key), code(limit.option), valueOf(limit), limit.what, limit.beyond]
  return `| ${cells.join(' | ')} |`
}

describe('docs/limits.md', () => {
  it('has the table of the code; paste the received one after a change', () => {
    const page = readFileSync(new URL('../../../docs/limits.md', import.meta.url), 'utf8')
    const [, shown] = /<!-- limits -->\n\n?([^]*?)\n?<!-- \/limits -->/.exec(page) ?? []
    const head = ['| metric | key | option | default | of what | beyond it |', '|---|---|---|---|---|---|']
    expect([...head, ...names.map(rowOf), ''].join('\n')).toBe(shown)
  })
})

describe('a limit', () => {
  it('is its default, or as it is given', () => {
    const { limits, server } = settingsOf({ limits: { watches: 7 }, maxClientCnxns: 3, snapCount: 9 })
    expect([limits.watches, server.watches]).toEqual([7, 7])
    expect([limits.maxClientCnxns, limits.snapCount, server.snapCount]).toEqual([3, 9, 9])
    expect([limits.sessionsPerAddress, server.sessionsPerAddress]).toEqual([60, 60])
    expect(settingsOf({ maxClientCnxns: 0 }).limits.sessionsPerAddress).toBe(0)
    expect(settingsOf({ maxClientCnxns: 2 ** 31 - 1 }).limits.sessionsPerAddress).toBe(2 ** 31 - 1)
    const fixed = names.filter((name) => LIMITS[name].value !== null)
    for (const name of fixed) expect(settingsOf({}).limits[name]).toBe(LIMITS[name].value)
  })

  it('is taken at the ends of its range and refused beyond them, with its name', () => {
    for (const name of names) {
      const { option, min, max } = LIMITS[name]
      if (option?.startsWith('limits.') !== true) continue
      const pair = name.startsWith('heap') ? { heapThrottlePercent: min, heapRefusePercent: max } : {}
      for (const value of [min, max]) {
        const given = { ...pair, [name]: value } as LimitOptions
        if (name === 'heapRefusePercent' || name === 'heapThrottlePercent') continue
        expect([name, limitsOf(given, {})[name]]).toEqual([name, value])
      }
      for (const value of [min - 1, max + 1, 1.5]) {
        const given = { [name]: value } as LimitOptions
        expect(() => limitsOf(given, {}), name).toThrow(`${option} must be a whole number from ${min} to ${max}`)
      }
    }
  })

  it('that nobody knows is named, and writes are slowed before they are refused', () => {
    expect(() => settingsOf({ limits: { wathces: 1 } as LimitOptions })).toThrow(/wathces/)
    expect(() => settingsOf({ limits: null as never })).toThrow(TypeError)
    expect(() => settingsOf({ limits: { heapThrottlePercent: 95 } })).toThrow(
      'heapThrottlePercent must not be more than heapRefusePercent, got 95 and 92',
    )
    expect(settingsOf({ limits: { heapThrottlePercent: 1, heapRefusePercent: 1 } }).limits.heapRefusePercent).toBe(1)
  })

  it('is shown by mntr as it is in force', async () => {
    await using ensemble = embedded({
      servers: 1,
      clientPorts: [0],
      fourLetterWords: ['mntr'],
      limits: { connectionOutstanding: 17 },
    })
    await ensemble.start()
    const text = await answerTo(ensemble.clientPorts[0] ?? 0, 'mntr')
    const shown = new Map(text.split('\n').map((line) => line.split('\t') as [string, string]))
    for (const name of names) {
      const value = name === 'connectionOutstanding' ? 17 : (LIMITS[name].value ?? 1_200)
      expect([name, shown.get(`zk_${metricOf(name)}`)]).toEqual([name, `${value}`])
    }
  })
})
