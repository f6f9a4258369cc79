import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { ClosingLineReporter } from './test/closing-line-reporter.ts'
import { PROJECTS } from './test/projects.ts'

/** Tests import the package by its published names, and get the source. */
const source = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^quorate$/, replacement: source('./src/index.ts') },
      { find: /^quorate\/embedded$/, replacement: source('./src/backends/embedded/index.ts') },
      { find: /^quorate\/zookeeper$/, replacement: source('./src/backends/zookeeper/index.ts') },
      { find: /^quorate\/etcd$/, replacement: source('./src/backends/etcd/index.ts') },
      { find: /^quorate\/redis$/, replacement: source('./src/backends/redis/index.ts') },
      { find: /^quorate\/prometheus$/, replacement: source('./src/observe/prometheus.ts') },
      { find: /^quorate\/recipe$/, replacement: source('./src/recipes/engine/index.ts') },
      { find: /^quorate\/nestjs$/, replacement: source('./src/frameworks/nestjs/index.ts') },
      { find: /^quorate\/fastify$/, replacement: source('./src/frameworks/fastify/index.ts') },
      { find: /^quorate\/dashboard$/, replacement: source('./src/dashboard/index.ts') },
      { find: /^quorate\/opentelemetry$/, replacement: source('./src/observe/opentelemetry.ts') },
      { find: /^quorate\/testing$/, replacement: source('./src/testing/index.ts') },
      { find: /^quorate\/testing\/vitest$/, replacement: source('./src/testing/fixtures/vitest.ts') },
      { find: /^quorate\/testing\/jest$/, replacement: source('./src/testing/fixtures/jest.ts') },
    ],
  },
  test: {
    projects: PROJECTS.map((test) => ({ extends: true, test })),
    pool: 'threads',
    maxWorkers: 2,
    // Far above what any test needs: a machine under load must not fail one, and a hang must still end.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
    allowOnly: false,
    reporters: ['default', new ClosingLineReporter()],
  },
})
