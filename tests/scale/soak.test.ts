import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PLANTS } from '../soak/flaky-store.js'
import { builtUrl } from '../support/built.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = ['scripts/run-typescript.mjs', 'tests/soak/main.ts', 'tests/soak/server.ts']

function soak(env: Record<string, string>): Promise<{ code: number | null; said: string }> {
  const built = builtUrl()
  const child = spawn(process.execPath, program, {
    cwd: root,
    env: { ...process.env, SOAK_BUILT: built.endsWith('/') ? built : `${built}/`, ...env },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })))
}

describe('a server under full load with a store that fails one call in fifty', () => {
  it.each(['memory', 'file'])(
    'loses nothing and undoes no logout with a %s store',
    async (store) => {
      const { code, said } = await soak({ SOAK_STORE: store, SOAK_MINUTES: '0.5' })
      expect(code === 0 ? 'fine' : said).toBe('fine')
    },
  )
})

/** What a soak says about each bug. */
const FOUND: Record<(typeof PLANTS)[number], RegExp> = {
  'undone-logout': /undone end|lost key/,
  'dropped-key': /lost (?:key|count)/,
  upsert: /undone end/,
  'blind-write': /lost (?:key|count)/,
  'unhandled-rejection': /unhandled rejection: Error: planted/,
  warning: /warning: Warning planted/,
  leak: /The external has grown/,
}

describe('a soak finds within seconds', () => {
  it.each([...PLANTS])('the planted bug %s', async (plant) => {
    const { code, said } = await soak({ SOAK_PLANT: plant, SOAK_MINUTES: '0.4' })
    expect(said).toMatch(FOUND[plant])
    expect(code).toBe(1)
  })
})
