import type { Mutation } from './mutation.js'

export const concurrency: readonly Mutation[] = [
  {
    rule: 'B6',
    without: 'keeping the keys that others stored',
    file: 'src/core/changes.ts',
    find: '  for (const key of Object.keys(data)) {\n    if (changes.deleted.has(key)) continue\n    entries.set(key, changes.set.get(key) ?? JSON.stringify(data[key]))\n  }',
    put: '',
    test: 'tests/session/concurrency.test.ts',
    named: 'that each set a key of their own keep all four',
  },
  {
    rule: 'B6',
    without: 'deleting what this request deleted',
    file: 'src/core/changes.ts',
    find: '    if (changes.deleted.has(key)) continue\n',
    put: '',
    test: 'tests/session/contention.test.ts',
  },
]
