import { mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installedProject, type Project, SERVE, SERVE_ESM } from './project.js'

const require = createRequire(import.meta.url)

let project: Project
beforeAll(async () => {
  project = await installedProject()
  for (const name of ['express', 'express4']) project.link(name)
}, 120_000)
afterAll(() => project.remove())

describe.each(['express', 'express4'])('an app on %s', (express) => {
  it('works as an ES module', async () => {
    const { stdout, stderr } = await project.script(
      `${express}.mjs`,
      `import * as coatcheck from 'coatcheck'
      import { MemoryStore } from 'coatcheck/stores/memory'
      import express from '${express}'
      ${SERVE_ESM}
      await serve(coatcheck, new MemoryStore(), express)`,
    )
    expect([stdout, stderr]).toEqual(['1 2\n', ''])
  })

  it('works in CommonJS', async () => {
    const { stdout, stderr } = await project.script(
      `${express}.cjs`,
      `const { MemoryStore } = require('coatcheck/stores/memory')
      ${SERVE}
      serve(require('coatcheck'), new MemoryStore(), require('${express}'))`,
    )
    expect([stdout, stderr]).toEqual(['1 2\n', ''])
  })
})

/** Ways to write the program that is bundled. */
const PROGRAMS = {
  imports: `import * as coatcheck from 'coatcheck'
    import { MemoryStore } from 'coatcheck/stores/memory'
    ${SERVE_ESM}
    serve(coatcheck, new MemoryStore())`,
  requires: `const { MemoryStore } = require('coatcheck/stores/memory')
    ${SERVE}
    serve(require('coatcheck'), new MemoryStore())`,
  // Both builds in one file, so two of each class.
  'imports and requires': `import * as coatcheck from 'coatcheck'
    ${SERVE_ESM}
    const { MemoryStore } = require('coatcheck/stores/memory')
    serve(coatcheck, new MemoryStore())`,
} as const

describe.each(Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[])(
  'a program that %s, bundled by esbuild',
  (program) => {
    it.each(['esm', 'cjs'] as const)(
      'as %s, runs where it can read nothing else',
      async (format) => {
        const name = `${program.replaceAll(' ', '-')}.${format === 'esm' ? 'mjs' : 'cjs'}`
        const outfile = join(project.folder, 'bundled', name)
        const { warnings } = await build({
          stdin: { contents: PROGRAMS[program], resolveDir: project.folder },
          outfile,
          format,
          bundle: true,
          platform: 'node',
          target: 'node20',
          logLevel: 'silent',
          // esbuild's own shim of `require` in an ES module knows no built-in modules.
          ...(format === 'esm' && program === 'requires' ? { banner: { js: REQUIRE } } : {}),
        })
        expect(warnings).toEqual([])
        const elsewhere = join(project.folder, '..', `moved-${format}-${program.length}`)
        mkdirSync(elsewhere)
        renameSync(outfile, join(elsewhere, name))

        const { stdout } = await project.node(
          [...READS_ONLY, `--allow-fs-read=${elsewhere}/*`, join(elsewhere, name)],
          { cwd: elsewhere },
        )
        expect(stdout).toBe('1 2\n')
      },
    )
  },
)

/** The drop-in, in the ways in which programs load what it replaces. */
const DROP_IN = `
  class OwnStore extends Store {
    get(sid, callback) { callback(null, JSON.parse(this.text ?? 'null')) }
    set(sid, session, callback) { this.text = JSON.stringify(session); callback() }
    destroy(sid, callback) { callback() }
  }
  const drop = { session: (options) => {
    const middleware = session({ ...options, resave: false, saveUninitialized: false })
    return Object.assign(middleware, { of: (req) => req })
  } }
  serve(drop, new OwnStore())`

it.each(['esm', 'cjs'] as const)(
  'the drop-in, imported and required, bundled by esbuild as %s, runs',
  async (format) => {
    const heads = {
      imported: `import session, { Store } from 'coatcheck/express-session'\n${SERVE_ESM}`,
      required: `const session = require('coatcheck/express-session')
        const { Store } = session
        ${SERVE}`,
    }
    for (const [name, head] of Object.entries(heads)) {
      const outfile = join(project.folder, `drop-in-${name}.${format === 'esm' ? 'mjs' : 'cjs'}`)
      const { warnings } = await build({
        stdin: { contents: head + DROP_IN, resolveDir: project.folder },
        outfile,
        format,
        bundle: true,
        platform: 'node',
        target: 'node20',
        logLevel: 'silent',
        ...(format === 'esm' ? { banner: { js: REQUIRE } } : {}),
      })
      expect(warnings).toEqual([])
      expect(await project.node([outfile])).toEqual({ stdout: '1 2\n', stderr: '' })
    }
  },
)

const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`

const READS_ONLY = process.allowedNodeEnvironmentFlags.has('--permission')
  ? ['--permission']
  : ['--experimental-permission', '--no-warnings']

it('works under Jest, which loads CommonJS alone', async () => {
  project.write(
    'jest.test.cjs',
    `const coatcheck = require('coatcheck')
    const { MemoryStore } = require('coatcheck/stores/memory')
    const { FileStore } = require('coatcheck/stores/file')
    const { FakeClock, CookieClient } = require('coatcheck/testing')
    const express = require('express')

    test('each class exists once', () => {
      expect(MemoryStore).toBe(coatcheck.MemoryStore)
      expect(require.resolve('coatcheck')).toMatch(/dist.cjs.index\\.js$/)
      expect(typeof FileStore).toBe('function')
    })

    test('the drop-in is the function itself', () => {
      const session = require('coatcheck/express-session')
      expect(require.resolve('coatcheck/express-session')).toMatch(/dist.cjs.express-session.index/)
      expect(session).toBe(session.default)
      class OwnStore extends session.Store {}
      expect(new OwnStore()).toBeInstanceOf(require('node:events'))
      expect(typeof session({ secret: 'a secret', resave: false, saveUninitialized: false })).toBe('function')
    })

    test('a session is kept, until its time is over', async () => {
      const clock = new FakeClock()
      const sessions = coatcheck.session({ secret: 'x'.repeat(32), clock })
      const app = express().use(sessions)
      app.get('/', (req, res) => {
        req.session.views = (req.session.views ?? 0) + 1
        res.json(req.session.views)
      })
      const server = app.listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const visitor = new CookieClient('http://127.0.0.1:' + server.address().port, { clock })
      expect((await visitor.get('/')).json()).toBe(1)
      expect((await visitor.get('/')).json()).toBe(2)
      await clock.advance(25 * 60 * 60 * 1000)
      expect((await visitor.get('/')).json()).toBe(1)
      await sessions.close()
      server.close()
    })`,
  )
  project.write('jest.config.json', '{ "testEnvironment": "node", "transform": {} }')
  const jest = join(require.resolve('jest/package.json'), '../bin/jest.js')
  const { stderr } = await project.node([jest, '--config', 'jest.config.json', '--ci', '-i'])
  expect(stderr).toMatch(/Tests: +3 passed, 3 total/)
}, 60_000)
