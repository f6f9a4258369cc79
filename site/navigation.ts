/** The navigation of the site: each page of the documentation, once, under the question that it answers. */

/** A page: its text in the navigation, and its source, from the root of the repository. */
export type Page = readonly [text: string, source: string]

/** A heading of the sidebar, and the pages under it. */
export interface Group {
  readonly text: string
  readonly pages: readonly Page[]
}

/** An entry at the top of each page, and its sidebar. */
export interface Section {
  readonly text: string
  readonly groups: readonly Group[]
}

const guide = (text: string, name: string): Page => [text, `docs/guide/${name}.md`]

const START: Section = {
  text: 'Start',
  groups: [
    {
      text: 'Start',
      pages: [
        ['Getting started', 'docs/getting-started.md'],
        ['Which recipe do I need?', 'docs/which-recipe.md'],
        ['Choose a backend', 'docs/choose-a-backend.md'],
        ['If you know Redis locks or Kubernetes leases', 'docs/concepts.md'],
        ['Glossary', 'docs/glossary.md'],
      ],
    },
    {
      text: 'Coming from',
      pages: [
        guide('Curator', 'from-curator'),
        guide('kazoo', 'from-kazoo'),
        guide('redlock', 'from-redlock'),
        guide('Redisson', 'from-redisson'),
        guide('etcd3', 'from-etcd3'),
      ],
    },
    { text: 'Try it', pages: [['Examples', 'examples/README.md']] },
  ],
}

const GUIDES: Section = {
  text: 'Guides',
  groups: [
    {
      text: 'Locks',
      pages: [
        guide('Fair lock', 'fair-lock'),
        guide('Exclusive lock', 'exclusive-lock'),
        guide('Read-write lock', 'read-write-lock'),
        guide('Reentrant lock', 'reentrant-lock'),
        guide('Multi-lock', 'multi-lock'),
        guide('Semaphore', 'semaphore'),
        guide('Locks shared with other languages', 'polyglot-locks'),
      ],
    },
    {
      text: 'Leaders and members',
      pages: [
        guide('Leader election', 'leader-election'),
        guide('Once only', 'once-only'),
        guide('Group membership', 'group-membership'),
        guide('Partitioner', 'partitioner'),
        guide('Persistent node', 'persistent-node'),
        guide('Service discovery', 'service-discovery'),
      ],
    },
    {
      text: 'Values',
      pages: [
        guide('Configuration', 'config-center'),
        guide('Shared values', 'shared-value'),
        guide('Counters and ids', 'counters'),
        guide('Rate limiter', 'rate-limiter'),
        guide('Caches', 'caches'),
        guide('Transactions', 'transactions'),
      ],
    },
    { text: 'Work', pages: [guide('Queue', 'queue'), guide('Barriers', 'barriers')] },
    { text: 'Frameworks', pages: [guide('Nest', 'nestjs'), guide('Fastify, Express, Hono', 'fastify')] },
    {
      text: 'Test',
      pages: [
        guide('With Vitest', 'test-with-vitest'),
        guide('With Jest', 'test-with-jest'),
        guide('Simulate your use', 'simulate'),
      ],
    },
    { text: 'Extend', pages: [guide('Write a recipe', 'write-a-recipe'), guide('Write a backend', 'write-a-backend')] },
  ],
}

const ENGINES: Section = {
  text: 'Engines',
  groups: [
    {
      text: 'Engines',
      pages: [
        ['ZooKeeper', 'docs/backends/zookeeper.md'],
        ['etcd', 'docs/backends/etcd.md'],
        ['Redis', 'docs/backends/redis.md'],
        guide('Embedded: an ensemble of processes', 'ensemble'),
      ],
    },
  ],
}

const GUARANTEES: Section = {
  text: 'Guarantees',
  groups: [
    {
      text: 'Guarantees',
      pages: [
        ['What holds when something fails', 'docs/guarantees.md'],
        ['How it is tested', 'docs/testing.md'],
        ['Measurements', 'bench/README.md'],
      ],
    },
  ],
}

const OPERATE: Section = {
  text: 'Operate',
  groups: [
    {
      text: 'Operate',
      pages: [
        ['Operations', 'docs/operations.md'],
        guide('Dashboard', 'dashboard'),
        guide('Server', 'server'),
        guide('Shell', 'shell'),
        guide('Doctor and top', 'doctor'),
        guide('Observe', 'observe'),
        ['Limits', 'docs/limits.md'],
        ['Security', 'SECURITY.md'],
        ['Claims and their tests', 'docs/security-claims.md'],
        ['ZooKeeper\'s published weaknesses', 'docs/zookeeper-cves.md'],
        ['Hostile peers', 'docs/hostile-peers.md'],
      ],
    },
  ],
}

/** The sections, in their order; the pages of the API are beside these in the section Reference. */
export function sections(apiPages: readonly Page[], decisions: readonly Page[]): readonly Section[] {
  const reference: Section = {
    text: 'Reference',
    groups: [
      {
        text: 'Reference',
        pages: [
          ['Errors', 'docs/errors.md'],
          ['Differences from ZooKeeper', 'docs/protocol/differences.md'],
          ['Between servers', 'docs/protocol/peers.md'],
          ['Changelog', 'CHANGELOG.md'],
        ],
      },
      { text: 'API', pages: apiPages },
    ],
  }
  const internals: Section = {
    text: 'Internals',
    groups: [
      {
        text: 'Internals',
        pages: [['Architecture', 'docs/architecture.md'], ['Contributing', 'CONTRIBUTING.md']],
      },
      { text: 'Decisions', pages: decisions },
    ],
  }
  return [START, GUIDES, ENGINES, GUARANTEES, reference, OPERATE, internals]
}
