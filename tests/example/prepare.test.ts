import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { pretendNode, runToEnd, temporaryFolder } from './app-process.js'

const scripts = fileURLToPath(new URL('../../scripts', import.meta.url))

/** A fresh clone in small: the real prepare.mjs, and an npm and a build that note their calls. */
function freshClone() {
  const root = temporaryFolder()
  const at = (path: string) => join(root, path)
  const version = (text: string) =>
    JSON.stringify({ packages: { '': {}, 'node_modules/one': { version: text } } })
  mkdirSync(at('scripts'))
  mkdirSync(at('src'))
  cpSync(join(scripts, 'prepare.mjs'), at('scripts/prepare.mjs'))
  cpSync(join(scripts, 'built-from.mjs'), at('scripts/built-from.mjs'))
  writeFileSync(at('package-lock.json'), version('1.0.0'))
  writeFileSync(at('src/index.ts'), 'export {}\n')
  writeFileSync(
    at('npm.cjs'),
    `const fs = require('node:fs')
fs.appendFileSync('calls', process.argv[2] + ' ')
if (fs.existsSync('broken')) process.exit(7)
fs.rmSync('node_modules', { recursive: true, force: true })
fs.mkdirSync('node_modules')
fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json')`,
  )
  writeFileSync(
    at('scripts/build.mjs'),
    `import fs from 'node:fs'
import { fingerprint, STAMP } from './built-from.mjs'
fs.appendFileSync('calls', 'build ')
if (fs.existsSync('broken')) process.exit(1)
fs.mkdirSync('dist', { recursive: true })
fs.writeFileSync('dist/' + STAMP, fingerprint('.'))`,
  )
  return {
    at,
    version,
    prepare: (node: string[] = []) =>
      runToEnd([...node, 'scripts/prepare.mjs', 'start'], { npm_execpath: at('npm.cjs') }, root),
    calls() {
      const calls = existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim() : ''
      rmSync(at('calls'), { force: true })
      return calls
    },
  }
}

it('installs and builds a fresh clone, says so, and is silent the next time', async () => {
  const { prepare, calls } = freshClone()
  const first = await prepare()
  expect(first.stderr).toMatch(/^Before start: installing .*not there yet …\n.*building .*\n$/)
  expect([first.code, calls()]).toEqual([0, 'install build'])

  const second = await prepare()
  expect([second.code, second.stdout, second.stderr, calls()]).toEqual([0, '', '', ''])
})

it('installs again when the lock file asks for another version', async () => {
  const { at, prepare, calls, version } = freshClone()
  await prepare()
  calls()
  writeFileSync(at('package-lock.json'), version('1.0.1'))
  expect((await prepare()).stderr).toContain('package-lock.json asks for other')
  expect(calls()).toBe('install build')
})

it('builds again when a source changes, appears or goes', async () => {
  const { at, prepare, calls } = freshClone()
  await prepare()
  calls()
  writeFileSync(at('src/index.ts'), 'export const changed = 1\n')
  expect((await prepare()).stderr).toContain('dist is older than src')
  expect(calls()).toBe('build')
  writeFileSync(at('src/more.ts'), '')
  await prepare()
  expect(calls()).toBe('build')
  rmSync(at('src/more.ts'))
  await prepare()
  expect(calls()).toBe('build')
})

it('lets two runs at once install and build only once', async () => {
  const { prepare, calls } = freshClone()
  const runs = await Promise.all([prepare(), prepare(), prepare()])
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(calls()).toBe('install build')
})

it('passes a failure on in one line, and the next run tries again', async () => {
  const { at, prepare, calls } = freshClone()
  writeFileSync(at('broken'), '')
  const failed = await prepare()
  expect(failed.stderr).toMatch(/\nThe installation failed \(exit code 7\)\.\n$/)
  expect([failed.code, calls()]).toEqual([1, 'install'])

  rmSync(at('broken'))
  expect((await prepare()).code).toBe(0)
})

it('tells an old Node what is needed', async () => {
  const { prepare, calls } = freshClone()
  const { code, stderr } = await prepare(pretendNode('18.20.0'))
  expect([code, calls()]).toEqual([1, ''])
  expect(stderr).toBe('Coatcheck needs Node 20.19 or newer, and this is Node 18.20.0.\n')
})
