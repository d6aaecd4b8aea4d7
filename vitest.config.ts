import { defineConfig } from 'vitest/config'

const servers = 'tests/servers/**/*.test.ts'
const scale = 'tests/scale/**/*.test.ts'
const mutations = 'tests/mutations/**/*.test.ts'

export default defineConfig({
  test: {
    projects: [
      // What every change runs.
      {
        test: {
          name: 'fast',
          include: ['tests/**/*.test.ts'],
          exclude: [servers, scale, mutations],
          setupFiles: ['tests/support/no-secrets.ts'],
          testTimeout: 20_000,
        },
      },
      // What needs a server of somebody else beside it: proxies, databases.
      { test: { name: 'servers', include: [servers], testTimeout: 60_000, hookTimeout: 60_000 } },
      // What takes minutes: other versions of Node and TypeScript, long searches, load.
      { test: { name: 'scale', include: [scale], testTimeout: 600_000, hookTimeout: 600_000 } },
      // The other tests, each without what it guards.
      {
        test: {
          name: 'mutations',
          include: [mutations],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxConcurrency: 2,
        },
      },
    ],
  },
})
