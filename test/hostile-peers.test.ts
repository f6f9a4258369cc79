/** docs/hostile-peers.md, as a test: each test that it names is there, each is used, and each line names one. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { TARGETS } from '../fuzz/targets/all.ts'
import { titlesIn } from './test-titles.ts'

const page = readFileSync(new URL('../docs/hostile-peers.md', import.meta.url), 'utf8')
const tests = [...page.matchAll(/^\| (H\d+) \| `(.+?)` \| `(.+?)` \|$/gm)]
const claims = page.slice(0, page.indexOf('## The tests')).split('\n').filter((line) => /^\| (?!the |---)/.test(line))

describe('the page of hostile peers', () => {
  it('names tests that there are', () => {
    const missing = tests.filter(({ 2: file = '', 3: title = '' }) => !titlesIn(file).some((one) => one.test(title)))
    expect(missing.map(({ 0: row }) => row)).toEqual([])
  })

  it('has a test or a target of the fuzzer for each claim, and no test that shows none', () => {
    const labels = (line: string): string[] => line.match(/\bH\d+\b/g) ?? []
    const isFuzzed = (line: string): boolean => TARGETS.some(({ name }) => line.includes(`target \`${name}\``))
    expect(claims.filter((line) => labels(line).length === 0 && !isFuzzed(line))).toEqual([])
    expect(claims.length).toBeGreaterThan(15)
    expect(new Set(claims.flatMap(labels))).toEqual(new Set(tests.map(({ 1: label }) => label)))
  })
})
