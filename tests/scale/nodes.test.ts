import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installedProject, type Project, SERVE, SERVE_ESM } from '../packaging/project.js'
import { root } from '../support/docs.js'
import { installed } from './installed.js'

/** What depends on Node: not the documents, not the compilers, not the browser. */
const FOLDERS = ['core', 'crypto', 'session', 'http', 'stores', 'testing'].map(
  (name) => `tests/${name}/`,
)
const VITEST = join(root, 'node_modules/vitest/vitest.mjs')

describe.each(['22', '24'])('Node %s', (version) => {
  let node: string
  beforeAll(async () => {
    node = await binary(version)
  })

  it('passes every test that this Node passes', async () => {
    const [result, here] = [await run(node), await count(process.execPath)]
    expect(result.failed).toEqual([])
    expect(here).toBeGreaterThan(500)
    expect(result.passed).toBe(here)
  }, 1_800_000)
})

describe('the oldest Node that is supported', () => {
  let project: Project
  let node: string
  beforeAll(async () => {
    node = await binary('20.19.0')
    project = await installedProject()
  })
  afterAll(() => project.remove())

  it('imports the package, and serves', async () => {
    const { stdout, stderr } = await project.script(
      'oldest.mjs',
      `import * as coatcheck from 'coatcheck'
      import { FileStore } from 'coatcheck/stores/file'
      ${SERVE_ESM}
      await serve(coatcheck, new FileStore({ path: 'imported' }))`,
      node,
    )
    expect([stdout, stderr]).toEqual(['1 2\n', ''])
  })

  it('requires the same package, and serves', async () => {
    const { stdout, stderr } = await project.script(
      'oldest.cjs',
      `const { FileStore } = require('coatcheck/stores/file')
      ${SERVE}
      serve(require('coatcheck'), new FileStore({ path: 'required' })).then(async () => {
        console.log((await import('coatcheck')).session === require('coatcheck').session)
      })`,
      node,
    )
    // Node 20.19.0 loads ES modules by require, and still says that this is an experiment.
    expect(stdout).toBe('1 2\ntrue\n')
    expect(
      stderr.replace(/^.*ExperimentalWarning: CommonJS module .* is loading ES Module.*\n/, ''),
    ).not.toMatch(/error/i)
  })
})

/** A binary of another Node, from the npm package `node`. */
async function binary(version: string): Promise<string> {
  const node = join(await installed('node', version), 'bin/node')
  const found = execFileSync(node, ['--version'], { encoding: 'utf8' })
  expect(found.trim()).toMatch(new RegExp(`^v${version.replaceAll('.', '\\.')}(?:\\.|$)`))
  return node
}

interface Result {
  readonly passed: number
  readonly failed: readonly string[]
}

async function run(node: string): Promise<Result> {
  const args = [VITEST, 'run', '--project', 'fast', ...FOLDERS, '--reporter=json']
  const out = await output(node, [...args, '--testTimeout=60000'])
  const parsed: {
    numPassedTests: number
    testResults: {
      name: string
      status: string
      message: string
      assertionResults: { status: string; fullName: string }[]
    }[]
  } = JSON.parse(out.slice(out.indexOf('{')))
  const failed = parsed.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults.filter((one) => one.status === 'failed')
    const names = tests.map(({ fullName }) => fullName)
    return status === 'failed' && names.length === 0 ? [`${name}: ${message}`] : names
  })
  return { passed: parsed.numPassedTests, failed }
}

/** How many tests there are, skipped ones aside. */
async function count(node: string): Promise<number> {
  const out = await output(node, [VITEST, 'list', '--project', 'fast', ...FOLDERS, '--json'])
  return (JSON.parse(out.slice(out.indexOf('['))) as unknown[]).length
}

/** Whatever the exit code. */
function output(node: string, args: string[]): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: '', VITEST: undefined }
  const options = { cwd: root, env, maxBuffer: 1 << 28, encoding: 'utf8' } as const
  return new Promise((resolve) =>
    execFile(node, args, options, (_error, stdout) => resolve(stdout)),
  )
}
