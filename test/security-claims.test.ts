/** docs/security-claims.md, as a test: each test that it names is there, each claim names one, none shows nothing. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titlesIn } from './test-titles.ts'

const page = readFileSync(new URL('../docs/security-claims.md', import.meta.url), 'utf8')
const claims = page.split('\n').filter((line) => /^\| C\d+: /.test(line))
const tests = [...page.matchAll(/^\| (T\d+) \| `(.+?)` \| `(.+?)` \|$/gm)]

describe('the page of claims', () => {
  it('names tests that there are', () => {
    const missing = tests.filter(({ 2: file = '', 3: title = '' }) => !titlesIn(file).some((one) => one.test(title)))
    expect(missing.map(({ 0: row }) => row)).toEqual([])
  })

  it('has a test for each claim, and no test that shows none', () => {
    const labels = (line: string): string[] => line.match(/\bT\d+\b/g) ?? []
    expect(claims.length).toBeGreaterThan(10)
    expect(claims.filter((line) => labels(line).length === 0)).toEqual([])
    expect(new Set(claims.flatMap(labels))).toEqual(new Set(tests.map(({ 1: label }) => label)))
    expect(new Set(claims.map((line) => line.slice(2, 5))).size).toBe(claims.length)
  })
})
