// A process of its own with sessions in it. Arguments: the URL of the built sources, and what it
// does, with a folder for its records if it needs one.
import { createServer, request } from 'node:http'

const [base, job, folder] = process.argv.slice(2)
const { MemoryStore, session } = await import(new URL('index.js', base))

const SECRET = 'marked secret '.repeat(3)

/** A request to `sessions`, with a cookie; gives the cookies of the answer. */
async function visit(sessions, { cookie = '', handler }) {
  const server = createServer((req, res) => {
    sessions(req, res, async (error) => {
      if (error !== undefined) res.statusCode = 500
      else await handler(sessions.of(req).session)
      res.end()
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  const response = await new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', headers: { cookie }, agent: false }
    request(options, resolve).on('error', reject).end()
  })
  response.resume()
  await new Promise((resolve) => response.on('end', resolve))
  server.close()
  return (response.headers['set-cookie'] ?? []).map((line) => line.split(';')[0].slice(4))
}

const jobs = {
  /** Ends a session from a script, while others write to it. */
  async revoke() {
    let others = 5
    class Contended extends MemoryStore {
      replace(...call) {
        return others-- > 0 ? 'changed' : super.replace(...call)
      }
    }
    const sessions = session({ secret: SECRET, store: new Contended() })
    await sessions.issue({ userId: 'ada' })
    console.log('ended', await sessions.revokeUser('ada'))
  },

  /** Lives through sessions and errors, with everything Node can be asked to print. */
  async talk() {
    class Failing extends MemoryStore {
      replace() {
        throw new Error('connection lost')
      }
    }
    const ids = []
    for (const store of [new MemoryStore(), new Failing()]) {
      const sessions = session({ secret: SECRET, store })
      const set = (one) => {
        one.note = `marked data ${Math.random()}`
      }
      const [token] = await visit(sessions, { handler: set })
      ids.push(token.split('.')[0])
      for (const cookie of [`sid=${token}`, `sid=${token}x`, `sid=${'A'.repeat(76)}`]) {
        await visit(sessions, { cookie, handler: set })
      }
      await sessions.close()
    }
    console.log(JSON.stringify({ ids }))
  },

  /** Changes whose session it is, and stops for good at a step of the file system. */
  async crash() {
    const { FileStore } = await import(new URL('stores/file.js', base))
    const files = await import('node:fs/promises')
    const at = process.argv[5]
    let isArmed = false
    const stops = (name) =>
      name === at && {
        [name]: (...args) => {
          // Of all that is unlinked, an entry of the index.
          const isMeant = name !== 'unlink' || String(args[0]).includes('users')
          if (!isArmed || !isMeant) return files[name](...args)
          console.log('stopped')
          setInterval(() => {}, 60_000)
          return new Promise(() => {})
        },
      }
    const fs = { ...files, ...stops('link'), ...stops('rename'), ...stops('unlink') }
    const store = new FileStore({ path: folder, fsync: false }, fs)
    const sessions = session({ secret: SECRET, store, user: ({ owner }) => owner })
    const token = await sessions.issue({ owner: 'ada', cart: 1 })
    isArmed = true
    const handler = (one) => Object.assign(one, { owner: 'bob' })
    await visit(sessions, { cookie: `sid=${token}`, handler })
  },

  /** Leaves everything open, and has to end by itself. */
  async exit() {
    const { FileStore } = await import(new URL('stores/file.js', base))
    const stores = [new MemoryStore(), new FileStore({ path: folder })]
    for (const store of stores) {
      const sessions = session({ secret: SECRET, store, idleTimeout: 1 })
      const [token] = await visit(sessions, { handler: (one) => Object.assign(one, { cart: 1 }) })
      // A touch, a timer of the sweep and a time limit are under way.
      await visit(sessions, { cookie: `sid=${token}`, handler: () => {} })
      class Silent extends MemoryStore {
        load() {
          return new Promise(() => {})
        }
      }
      const silent = session({ secret: SECRET, store: new Silent() })
      silent.read({ headers: { cookie: `sid=${await silent.issue({ cart: 1 })}` } })
    }
    console.log('done')
  },
}

await jobs[job]()
