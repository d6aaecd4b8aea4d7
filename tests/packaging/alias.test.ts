import { createRequire } from 'node:module'
import { join } from 'node:path'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilerOf } from '../types/programs.js'
import { installedProject, npmProblems, type Project } from './project.js'

// What other packages find when the drop-in is installed under the name of express-session.

let project: Project
beforeAll(async () => {
  project = await installedProject('packages/express-session')
  for (const name of ['connect-redis', 'connect-mongo']) project.copy(name)
}, 120_000)
afterAll(() => project.remove())

it('is a version that the packages ask for which have it as a peer', async () => {
  const peers = ['connect-redis', 'connect-mongo'].map((name) => project.manifest(name))
  for (const peer of peers) expect(peer.peerDependencies).toHaveProperty('express-session')
  const problems = await npmProblems(project.folder)
  // What the links lead to has problems of its own, in the folders where it was developed.
  expect(problems.filter((problem) => problem.includes('express-session'))).toEqual([])
})

it('passes publint', async () => {
  const pkgDir = join(project.folder, 'node_modules/express-session')
  const { messages } = await publint({ pkgDir, pack: false, strict: true })
  expect(messages).toEqual([])
})

it('is the drop-in itself, by its name and by the files that other packages ask for', async () => {
  const { stdout, stderr } = await project.script(
    'same.cjs',
    `const session = require('coatcheck/express-session')
    const found = [
      require('express-session') === session,
      require('express-session/session/cookie') === session.Cookie,
      require('express-session/session/store.js') === session.Store,
      require('express-session/session/session') === session.Session,
      require('express-session/session/memory') === session.MemoryStore,
    ]
    import('express-session').then((module) => {
      found.push(Object.keys(session).every((name) => module[name] === session[name]))
      console.log(found.join())
    })`,
  )
  expect([stdout, stderr]).toEqual([`${Array(6).fill('true').join()}\n`, ''])
})

/** Stores by their packages, over clients that keep their records in a Map. */
const STORES = {
  'connect-redis': `const records = new Map()
    const client = {
      get: async (key) => records.get(key),
      set: async (key, value) => void records.set(key, value),
      expire: async (key) => Number(records.has(key)),
      del: async (keys) => keys.filter((key) => records.delete(key)).length,
    }
    const store = new RedisStore({ client })`,
  'connect-mongo': `const records = new Map()
    const collection = {
      createIndex: async () => {},
      findOne: async ({ _id }) => records.get(_id) ?? null,
      updateOne: async ({ _id }, { $set }, { upsert } = {}) => {
        const found = records.get(_id)
        if (found || upsert) records.set(_id, { ...found, ...$set })
        return { matchedCount: Number(!!found), upsertedCount: Number(!found && !!upsert) }
      },
      deleteOne: async ({ _id }) => records.delete(_id),
    }
    const client = { db: () => ({ collection: () => collection }) }
    const store = MongoStore.create({ client })`,
} as const

/** A counter and a way out, with two visitors' worth of requests. */
const SERVE = `
  async function serve(session, store) {
    if (!(store instanceof session.Store)) throw new Error('It is another Store.')
    const sessions = session({ secret: 'keyboard cat', resave: false, saveUninitialized: false, store })
    const server = createServer((req, res) =>
      sessions(req, res, () => {
        if (req.url === '/end') return req.session.destroy(() => res.end('ended'))
        req.session.views = (req.session.views ?? 0) + 1
        res.end(req.session.views + ' ' + records.size)
      }),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = 'http://127.0.0.1:' + server.address().port
    const first = await fetch(url)
    const cookie = first.headers.getSetCookie()[0].split(';')[0]
    const said = [await first.text()]
    for (const path of ['/', '/end', '/']) {
      said.push(await (await fetch(url + path, { headers: { cookie } })).text())
    }
    console.log(said.join(', '))
    server.close()
    server.closeAllConnections()
  }`

describe.each([
  ['connect-redis', 'RedisStore'],
  ['connect-mongo', 'MongoStore'],
] as const)('%s', (name, store) => {
  it('extends it and keeps its sessions, in CommonJS', async () => {
    const { stdout, stderr } = await project.script(
      `${name}.cjs`,
      `const { createServer } = require('node:http')
      const { once } = require('node:events')
      const { ${store} } = require('${name}')
      ${STORES[name]}
      ${SERVE}
      serve(require('express-session'), store)`,
    )
    expect([stdout, stderr]).toEqual(['1 0, 2 1, ended, 1 0\n', ''])
  })

  it('extends it and keeps its sessions, as ES modules', async () => {
    const { stdout, stderr } = await project.script(
      `${name}.mjs`,
      `import { createServer } from 'node:http'
      import { once } from 'node:events'
      import session from 'express-session'
      import { ${store} } from '${name}'
      ${STORES[name]}
      ${SERVE}
      await serve(session, store)`,
    )
    expect([stdout, stderr]).toEqual(['1 0, 2 1, ended, 1 0\n', ''])
  })
})

it('brings its types along, and what a program declares for the old name', async () => {
  // Without @types/express-session.
  for (const name of ['@types/express', '@types/node', 'express']) project.link(name)
  const program = (lines: string) => `${lines}
    import { RedisStore } from 'connect-redis'
    import Cookie = require('express-session/session/cookie')
    declare module 'express-session' {
      interface SessionData { views: number }
    }
    const client: unknown = undefined
    const app = express()
    app.use(session({ secret: 'a secret', store: new RedisStore({ client }) }))
    app.get('/', async (req, res) => {
      req.session.views = (req.session.views ?? 0) + 1
      // @ts-expect-error a field has one type
      req.session.views = 'many'
      await req.session.save()
      const cookie: session.Cookie = new Cookie()
      req.sessionStore.get(req.sessionID, (err, found) => res.json([err, found?.views, cookie]))
    })`
  project.write(
    'importing.cts',
    program(`import session from 'express-session'
    import express from 'express'`),
  )
  project.write(
    'requiring.cts',
    program(`import session = require('express-session')
    import express = require('express')`),
  )
  for (const [file, module] of [
    ['importing.cts', 'nodenext'],
    ['requiring.cts', 'node16'],
  ]) {
    const compilerOptions = {
      module,
      target: 'es2022',
      strict: true,
      esModuleInterop: true,
      noEmit: true,
      types: ['node'],
      // The types of redis are not ours to check.
      skipLibCheck: true,
    }
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }))
    const tsc = compilerOf(createRequire(import.meta.url))
    const compiled = project.node([tsc, '-p', project.folder, '--pretty', 'false'])
    const { stdout } = await compiled.catch((error: { stdout: string }) => error)
    expect([file, stdout]).toEqual([file, ''])
  }
}, 60_000)
