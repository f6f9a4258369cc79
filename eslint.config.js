/**
 * Lint rules: what needs types to be seen, such as a promise that nobody awaits or a switch that forgets a case, and what
 * an editor should show at once. The import layers, the sizes and the names are in test/tidy.test.ts.
 */
import tseslint from 'typescript-eslint'

/** Clocks, timers and chance: outside a host they are given as ticks and a random source. */
const OUTSIDE_WORLD = [
  'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Date', 'performance', 'crypto', 'process', 'fetch',
]

const NOT_IN_SRC = [
  { object: 'AbortSignal', property: 'timeout', message: 'It ignores virtual time: use the deadline of core/async.ts.' },
  { object: 'process', property: 'nextTick', message: 'It starves I/O and ignores virtual time: use queueMicrotask.' },
  { object: 'Promise', property: 'withResolvers', message: 'Node 20 has none.' },
  { object: 'Promise', property: 'try', message: 'Node 20 has none.' },
  { object: 'Array', property: 'fromAsync', message: 'Node 20 has none.' },
]

const NO_OUTSIDE_RANDOM = { object: 'Math', property: 'random', message: 'A server gets its randomness from its host.' }

export default tseslint.config(
  {
    ignores: [
      ...['dist/', 'dist-examples/', 'dist-sim/', 'docs/api/', 'coverage/', 'node_modules/', 'test/.docs/'],
      ...['site/dist/', 'site/reference/', 'site/.vitepress/cache/', 'site/.vitepress/.temp/'],
    ],
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // A number, a bigint, a boolean or a list of them in a message reads well; an object does not.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowArray: true },
      ],
      // What was caught, and a signal's reason, is passed on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      // A hook may answer, or say nothing.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // `() => listeners.delete(listener)` is how a short arrow reads.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // An interface may ask for a promise where the simplest implementation has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // Types of what comes from outside say what it should be; code that checks it all the same is right.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'No enums: use a union of string literals.' },
        { selector: 'ExportAllDeclaration', message: 'Export by name.' },
        { selector: 'TSParameterProperty', message: 'No parameter properties: declare the field.' },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'src/**/*.tsx', 'sim/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-globals': ['error', 'WeakRef', 'FinalizationRegistry'],
      'no-restricted-properties': ['error', ...NOT_IN_SRC],
      'no-restricted-imports': ['error', 'node:timers', 'node:timers/promises', 'timers', 'timers/promises'],
    },
  },
  {
    files: ['src/backends/embedded/server/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', 'WeakRef', 'FinalizationRegistry', ...OUTSIDE_WORLD],
      'no-restricted-properties': ['error', ...NOT_IN_SRC, NO_OUTSIDE_RANDOM],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // `expect(backend.open).toHaveBeenCalled()` names a method without calling it.
      '@typescript-eslint/unbound-method': 'off',
      // A module of Nest is a class with a decorator and nothing else.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
    },
  },
)
