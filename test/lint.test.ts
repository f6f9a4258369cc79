/** The lint rules that guard what no test of behaviour would notice: each is shown to refuse what it is there for. */
import { ESLint } from 'eslint'
import { describe, expect, it } from 'vitest'

const IN_SRC = 'src/core/assert.ts'
const IN_SERVER = 'src/backends/embedded/server/ports.ts'

const later = 'async function later(): Promise<void> { await Promise.resolve() }\n'

const CASES: readonly { readonly rule: string; readonly file: string; readonly text: string }[] = [
  { rule: '@typescript-eslint/no-floating-promises', file: IN_SRC, text: `${later}later()` },
  { rule: '@typescript-eslint/no-misused-promises', file: IN_SRC, text: `${later}[1].forEach(later)` },
  { rule: '@typescript-eslint/no-explicit-any', file: IN_SRC, text: 'export let a: any' },
  {
    rule: '@typescript-eslint/switch-exhaustiveness-check',
    file: IN_SRC,
    text: "export function f(a: 'b' | 'c'): void { switch (a) { case 'b': } }",
  },
  {
    rule: '@typescript-eslint/consistent-type-imports',
    file: IN_SRC,
    text: "import { Stat } from './backend.ts'\nexport let stat: Stat",
  },
  { rule: 'no-restricted-properties', file: IN_SRC, text: 'AbortSignal.timeout(1)' },
  { rule: 'no-restricted-properties', file: IN_SRC, text: 'process.nextTick(() => {})' },
  { rule: 'no-restricted-properties', file: IN_SRC, text: 'Promise.withResolvers()' },
  { rule: 'no-restricted-properties', file: IN_SERVER, text: 'Math.random()' },
  { rule: 'no-restricted-globals', file: IN_SRC, text: 'new WeakRef({})' },
  { rule: 'no-restricted-globals', file: IN_SERVER, text: 'setTimeout(() => {}, 1)' },
  { rule: 'no-restricted-globals', file: IN_SERVER, text: 'Date.now()' },
  { rule: 'no-restricted-globals', file: IN_SERVER, text: 'performance.now()' },
  { rule: 'no-restricted-globals', file: IN_SERVER, text: 'queueMicrotask(() => {})' },
  { rule: 'no-restricted-globals', file: IN_SERVER, text: 'crypto.randomUUID()' },
  { rule: 'no-restricted-imports', file: IN_SRC, text: "import 'node:timers/promises'" },
  { rule: 'no-restricted-syntax', file: IN_SRC, text: 'export enum A { B }' },
  { rule: 'no-restricted-syntax', file: IN_SRC, text: "export * from './errors.ts'" },
  { rule: 'no-console', file: IN_SRC, text: "console.log('a')" },
]

describe('lint', () => {
  const eslint = new ESLint()

  it.each(CASES)('$rule refuses, in $file: $text', async ({ rule, file, text }) => {
    const [result] = await eslint.lintText(text, { filePath: file })
    expect(result?.messages.map(({ ruleId }) => ruleId)).toContain(rule)
  })
})
