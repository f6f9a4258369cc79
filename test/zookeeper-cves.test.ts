/** docs/zookeeper-cves.md, as a test: each test that it names is there, each is used, and each line names one. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { titlesIn } from './test-titles.ts'

const page = readFileSync(new URL('../docs/zookeeper-cves.md', import.meta.url), 'utf8')
const advisories = page.split('\n').filter((line) => line.startsWith('| CVE-'))
const tests = [...page.matchAll(/^\| (T\d+) \| `(.+?)` \| `(.+?)` \|$/gm)]

describe('the page of published weaknesses', () => {
  it('names tests that there are', () => {
    const missing = tests.filter(({ 2: file = '', 3: title = '' }) => !titlesIn(file).some((one) => one.test(title)))
    expect(missing.map(({ 0: row }) => row)).toEqual([])
    expect(tests.length).toBeGreaterThanOrEqual(advisories.length)
  })

  it('has a test for each advisory, and no test that shows none', () => {
    const labels = (line: string): string[] => line.match(/\bT\d+\b/g) ?? []
    expect(advisories.filter((line) => labels(line).length === 0)).toEqual([])
    expect(new Set(advisories.flatMap(labels))).toEqual(new Set(tests.map(({ 1: label }) => label)))
  })
})
