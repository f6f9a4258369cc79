/** The dashboard and the alert rules in docs/operations name metrics and outcomes that there are. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { embedded } from '../../src/backends/embedded/index.ts'
import { PrometheusObserver } from '../../src/observe/prometheus.ts'
import { ERROR_CODES } from '../../src/core/errors.ts'

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[]
}

interface Dashboard {
  readonly panels: readonly {
    readonly id: number
    readonly title: string
    readonly gridPos: { readonly x: number; readonly y: number }
    readonly targets: readonly { readonly expr: string }[]
  }[]
}

/** Words of PromQL. */
const PROMQL = new Set([
  'sum', 'by', 'rate', 'increase', 'histogram_quantile', 'max', 'count', 'floor', 'changes', 'and',
])

const dataDir = mkdtempSync(join(tmpdir(), 'quorate-operations-'))
const ensemble = embedded({ servers: 1, clientPorts: [0], adminPorts: [0], dataDir })
let served = ''

beforeAll(async () => {
  await ensemble.start()
  served = await (await fetch(`http://127.0.0.1:${String(ensemble.adminPorts[0])}/metrics`)).text()
})

afterAll(async () => {
  await ensemble.close()
  rmSync(dataDir, { recursive: true })
})

/** The names of series, by what they are. */
function namesIn(text: string): Set<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) => {
    const summed = [`${name}_sum`, `${name}_count`]
    if (type === 'summary') return [name, ...summed]
    return type === 'histogram' ? [`${name}_bucket`, ...summed] : [name]
  }))
}

/** The names that an expression uses. */
function usedIn(expr: string): string[] {
  const bare = expr.replace(/\{[^}]*\}/g, '').replace(/\[[^\]]*\]/g, '').replace(/\bby \([^)]*\)/g, '')
  return [...bare.matchAll(/[a-z_][a-z_0-9]*/gi)].map(([name]) => name).filter((name) => !PROMQL.has(name))
}

const alerts = parse(readFileSync('docs/operations/alerts.yml', 'utf8')) as Rules
const dashboard = JSON.parse(readFileSync('docs/operations/grafana-dashboard.json', 'utf8')) as Dashboard
const rules = alerts.groups.flatMap((group) => group.rules)
const expressions = [
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
]

/** Prometheus itself makes it. */
const OF_PROMETHEUS = ['up']
/** Those that a server on its own has not: its leader tells them. */
const OF_LEADERS = ['synced_followers']

describe('an expression', () => {
  it.each(expressions)('uses metrics that there are: %s', (_, expr) => {
    const told = [...namesIn(new PrometheusObserver().text()), ...namesIn(served)]
    const known = new Set([...told, ...OF_LEADERS, ...OF_PROMETHEUS])
    const used = usedIn(expr)
    expect(used.length).toBeGreaterThan(0)
    expect(used.filter((name) => !known.has(name))).toEqual([])
  })

  it.each(expressions)('names outcomes that there are: %s', (_, expr) => {
    const outcomes = [...expr.matchAll(/outcome=~?"([^"]*)"/g)].flatMap(([, one = '']) => one.split('|'))
    const known = new Set<string>(['ok', 'taken', ...ERROR_CODES])
    expect(outcomes.filter((outcome) => !known.has(outcome))).toEqual([])
  })
})

it('an unknown metric is found', () => {
  expect(usedIn('sum by (kind, le) (rate(no_such_metric{kind="a"}[5m])) > 1')).toEqual(['no_such_metric'])
})

it('a leader has the metrics that one server alone has not', () => {
  const table = readFileSync('src/backends/embedded/host/admin/metrics.ts', 'utf8')
  for (const name of OF_LEADERS) expect(table).toContain(`gauge('${name}'`)
})

it('each alert, and each panel with its place, is there once', () => {
  const unique = (list: readonly unknown[]): number => new Set(list).size
  expect(unique(rules.map(({ alert }) => alert))).toBe(rules.length)
  expect(unique(dashboard.panels.map(({ id }) => id))).toBe(dashboard.panels.length)
  expect(unique(dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`))).toBe(dashboard.panels.length)
})

it('the page of the guide lists every metric of a client', () => {
  const page = readFileSync('docs/guide/observe.md', 'utf8')
  const told = [...page.matchAll(/^\| `(quorate_client_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`)
  const text = new PrometheusObserver().text()
  expect(told.sort()).toEqual([...text.matchAll(/^# TYPE (\S+ \S+)$/gm)].map(([, line = '']) => line).sort())
})
