import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installedProject, npm, type Project, root, SERVE } from './packaging/project.js'

interface Manifest {
  exports: Record<string, { require: { default: string } }>
}
let project: Project
let installed: string
let script: Project['script']
let manifest: Manifest
let specifiers: string[]

beforeAll(async () => {
  project = await installedProject()
  ;({ installed, script } = project)
  manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest
  specifiers = Object.keys(manifest.exports)
    .filter((one) => one !== './package.json')
    .map((one) => one.replace(/^\./, 'coatcheck'))
}, 120_000)
afterAll(() => project.remove())

it('holds the builds and what a reader needs, and nothing else', () => {
  expect(readdirSync(installed).sort()).toEqual(
    ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'].sort(),
  )
  const files = filesOf(join(installed, 'dist'))
  const sources = filesOf(join(root, 'src')).map((path) => path.replace(/\.ts$/, ''))
  const built = ['esm', 'cjs'].flatMap((build) =>
    sources.flatMap((path) => ['js', 'js.map', 'd.ts'].map((end) => `${build}/${path}.${end}`)),
  )
  expect(files).toEqual([...built, 'cjs/package.json'].sort())
})

it('declares its types by nothing but its own files and those of Node', () => {
  const dist = join(installed, 'dist')
  const foreign = filesOf(dist)
    .filter((path) => path.endsWith('.d.ts'))
    .flatMap((path) => {
      const text = readFileSync(join(dist, path), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '')
      const named = text.matchAll(/\b(?:from|import|require|types)\s*[(=]?\s*["']([^"']+)["']/g)
      return [...named].map(([, name]) => `${path}: ${name}`)
    })
    .filter((line) => !/: (?:\.|node:)/.test(line))
  expect(foreign).toEqual([])
})

it('carries the sources in the source maps, since it does not carry src', () => {
  const dist = join(installed, 'dist')
  for (const path of filesOf(dist).filter((one) => one.endsWith('.map'))) {
    const map = JSON.parse(readFileSync(join(dist, path), 'utf8')) as {
      sources: string[]
      sourcesContent?: (string | null)[]
    }
    expect([path, map.sourcesContent?.map((text) => typeof text)]).toEqual([
      path,
      map.sources.map(() => 'string'),
    ])
  }
})

it('is one package under import and require: every class exists once', async () => {
  const { stdout, stderr } = await script(
    'both.mjs',
    `import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    for (const specifier of ${JSON.stringify(specifiers)}) {
      const imported = await import(specifier)
      const required = require(specifier)
      // What makes \`require\` give a function, and is not on the function.
      const names = Object.keys(imported).filter((name) => name !== 'module.exports')
      if (names.length === 0) throw new Error(specifier + ' is empty')
      for (const name of names) {
        if (imported[name] !== required[name]) throw new Error(specifier + ' has two ' + name)
      }
    }
    console.log('one')`,
  )
  expect([stdout, stderr]).toEqual(['one\n', ''])
})

it('loads from a CommonJS program', async () => {
  const { stdout, stderr } = await script(
    'program.cjs',
    `const { session } = require('coatcheck')
    const { FileStore } = require('coatcheck/stores/file')
    const store = new FileStore({ path: 'sessions' })
    console.log(typeof session({ secret: 'x'.repeat(32), store }))`,
  )
  expect([stdout, stderr]).toEqual(['function\n', ''])
})

describe('the drop-in', () => {
  const USE = `
    const { sessions } = new session.MemoryStore()
    const middleware = session({ secret: 'a secret', resave: false, saveUninitialized: false })
    const statics = [session.Store, session.Session, session.Cookie, session.MemoryStore]
    const kinds = [session, middleware, Store, ...statics].map((one) => typeof one)
    console.log(new Set(kinds), sessions, Store === session.Store, MemoryStore === statics[3])`
  const USED = "Set(1) { 'function' } [Object: null prototype] {} true true\n"

  it.each([
    [
      'required',
      'cjs',
      `const session = require('coatcheck/express-session')
      const { Store, MemoryStore } = require('coatcheck/express-session')`,
    ],
    ['imported', 'mjs', `import session, { Store, MemoryStore } from 'coatcheck/express-session'`],
    [
      'imported by name',
      'mjs',
      `import { session, Store, MemoryStore } from 'coatcheck/express-session'`,
    ],
    [
      'imported whole',
      'mjs',
      `import * as all from 'coatcheck/express-session'
      const { default: session, Store, MemoryStore } = all`,
    ],
  ])('is the function itself, %s', async (_, extension, head) => {
    const { stdout, stderr } = await script(`drop-in.${extension}`, `${head}\n${USE}`)
    expect([stdout, stderr]).toEqual([USED, ''])
  })

  it('is the function itself in the CommonJS build', async () => {
    const file = JSON.stringify(commonJsFiles()['coatcheck/express-session'])
    const { stdout, stderr } = await script(
      'drop-in-tool.cjs',
      `const session = require(${file})
      const { Store, MemoryStore } = require(${file})
      ${USE}`,
    )
    expect([stdout, stderr]).toEqual([USED, ''])
  })
})

describe('the drop-in for cookie-session', () => {
  const USE = `
    const middleware = cookieSession({ secret: 'a secret' })
    const req = { headers: {} }
    const lines = []
    const res = { end() {}, setHeader: (_, value) => lines.push(...value) }
    middleware(req, res, () => {
      req.session.user = 'ada'
      res.end()
    })
    console.log(typeof cookieSession, lines[0])`
  const USED = 'function session=eyJ1c2VyIjoiYWRhIn0=; path=/; httponly\n'

  it.each([
    ['required', 'cjs', `const cookieSession = require('coatcheck/cookie-session')`],
    ['imported', 'mjs', `import cookieSession from 'coatcheck/cookie-session'`],
    ['imported by name', 'mjs', `import { cookieSession } from 'coatcheck/cookie-session'`],
  ])('is the function itself, %s', async (_, extension, head) => {
    const { stdout, stderr } = await script(`cookies.${extension}`, `${head}\n${USE}`)
    expect([stdout, stderr]).toEqual([USED, ''])
  })

  it('is the function itself in the CommonJS build', async () => {
    const file = JSON.stringify(commonJsFiles()['coatcheck/cookie-session'])
    const head = `const cookieSession = require(${file})`
    const { stdout, stderr } = await script('cookies-tool.cjs', `${head}\n${USE}`)
    expect([stdout, stderr]).toEqual([USED, ''])
  })
})

it('has a program: npx coatcheck', async () => {
  const typed = async (...args: string[]) => {
    const { stdout } = await npm(['exec', '--offline', '--', 'coatcheck', ...args], project.folder)
    return stdout
  }
  expect(await typed('secret')).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  expect(await typed('--version')).toBe(`${version}\n`)
})

it('keeps everything else to itself', async () => {
  const { stdout } = await script(
    'private.mjs',
    `const paths = ['core/store', 'dist/esm/index.js', 'stores/internal/reports', 'stores/file.js']
    for (const path of paths) {
      console.log(await import('coatcheck/' + path).then(() => 'open', (error) => error.code))
    }`,
  )
  expect(new Set(stdout.trim().split('\n'))).toEqual(new Set(['ERR_PACKAGE_PATH_NOT_EXPORTED']))
})

it('works as CommonJS alone, in a tool that cannot load ES modules', async () => {
  const { stdout, stderr } = await script(
    'tool.cjs',
    `const files = ${JSON.stringify(commonJsFiles())}
    const required = Object.values(files).map((file) => require(file))
    for (const path of Object.keys(require.cache)) {
      if (path.includes('/dist/esm/')) throw new Error(path + ' is an ES module')
    }
    const { FileStore } = require(files['coatcheck/stores/file'])
    ${SERVE}
    serve(required[0], new FileStore({ path: 'tool-sessions' }))`,
  )
  expect([stdout, stderr]).toEqual(['1 2\n', ''])
})

it('exports the same names from both builds', async () => {
  const { stdout } = await script(
    'names.mjs',
    `import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    const names = {}
    for (const [specifier, file] of Object.entries(${JSON.stringify(commonJsFiles())})) {
      const builds = [await import(specifier), require(file)]
      const namesOf = (build) => Object.keys(build).filter((name) => name !== 'module.exports')
      names[specifier] = builds.map((build) => namesOf(build).sort())
    }
    console.log(JSON.stringify(names))`,
  )
  const names = JSON.parse(stdout) as Record<string, [string[], string[]]>
  expect(Object.keys(names)).toEqual(specifiers)
  for (const [esm, cjs] of Object.values(names)) expect(cjs).toEqual(esm)
})

it.each(['memory', 'file'])('lets a process with a %s store end by itself', async (name) => {
  const { stdout, stderr } = await script(
    `ends-${name}.cjs`,
    `${SERVE}
    const { MemoryStore } = require('coatcheck/stores/memory')
    const { FileStore } = require('coatcheck/stores/file')
    const stores = { memory: () => new MemoryStore(), file: () => new FileStore({ path: 'ends' }) }
    serve(require('coatcheck'), stores.${name}())`,
  )
  expect([stdout, stderr]).toEqual(['1 2\n', ''])
})

it('passes publint', async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

it('has the right types under every kind of resolution', async () => {
  const analysis = await checkPackage(createPackageFromTarballData(readFileSync(project.tarball)))
  expect(analysis.types).toMatchObject({ kind: 'included' })
  expect('problems' in analysis && analysis.problems).toEqual([])
}, 60_000)

/** What a tool like Jest loads: the condition `require`, and never an ES module. */
function commonJsFiles(): Record<string, string> {
  const files = specifiers.map((specifier) => {
    const entry = manifest.exports[specifier.replace(/^coatcheck/, '.')]!
    return [specifier, join(installed, entry.require.default)]
  })
  return Object.fromEntries(files) as Record<string, string>
}

function filesOf(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
}
