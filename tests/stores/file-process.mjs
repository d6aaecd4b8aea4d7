// A process of its own on the folder of a file store. Arguments: the URL of the built sources, the
// folder, and the job as JSON. Talks on stdout, a line for each piece of news.
import * as fs from 'node:fs/promises'

const [base, path, job] = process.argv.slice(2)
const { FileStore } = await import(new URL('stores/file.js', base))
const say = (line) => process.stdout.write(`${line}\n`)

const jobs = {
  /** Runs a program of the conformance suite at the moment `now`. */
  async program({ program, now }) {
    const { runProgram } = await import(new URL('testing/index.js', base))
    const clock = { now: () => now, setTimeout, clearTimeout }
    say(JSON.stringify(await runProgram(new FileStore({ path, clock }), program)))
  },

  /** The same on a store of memory, under the clock of the machine. */
  async memory({ program }) {
    const { runProgram } = await import(new URL('testing/index.js', base))
    const { MemoryStore } = await import(new URL('stores/memory.js', base))
    say(JSON.stringify(await runProgram(new MemoryStore(), program)))
  },

  /** Serves two requests with sessions; then its server closes, and the sessions stay open. */
  async sessions({ kind }) {
    const { createServer } = await import('node:http')
    const { once } = await import('node:events')
    const { session, MemoryStore } = await import(new URL('index.js', base))
    const secret = 'a secret of these tests, of 32 bytes and more'
    const store = kind === 'memory' ? new MemoryStore() : new FileStore({ path })
    const sessions = session({ secret, store })
    const server = createServer((req, res) => {
      sessions(req, res, () => {
        if (req.url === '/set') req.session.n = 1
        res.end(JSON.stringify(req.session))
      })
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const origin = `http://127.0.0.1:${server.address().port}`
    const set = await fetch(`${origin}/set`)
    const cookie = set.headers.getSetCookie()[0].split(';')[0]
    const page = await fetch(origin, { headers: { cookie, connection: 'close' } })
    say(await page.text())
    server.close()
    server.closeAllConnections()
  },

  /** Writes 200 records in parallel, over and over, until it is killed. */
  async hammer({ keys, expiresAt }) {
    // A killed process loses nothing that it has handed to the system, so no fsync is needed here.
    const store = new FileStore({ path, fsync: false })
    const textOf = (round) => JSON.stringify({ round, pad: 'x'.repeat(3000), end: round })
    const write = async (key, round) => {
      const user = round % 3 === 0 ? undefined : `user-${round % 3}`
      const entry = { text: textOf(round), expiresAt, ...(user && { user }) }
      const seen = await store.load(key)
      if (seen === undefined) await store.create(key, entry)
      else if (round % 5 === 4) await store.destroy(key)
      else if (round % 2 === 0) await store.touch(key, expiresAt + round)
      else await store.replace(key, entry, seen)
      say('written')
    }
    for (let round = 0; ; round += 1) {
      await Promise.all(keys.map((key, i) => write(key, round + i)))
    }
  },

  /** Replaces a record, but stops right before the rename, with the lock in hand. */
  async hang({ key, entry }) {
    const rename = () => {
      say('held')
      setInterval(() => {}, 60_000)
      return new Promise(() => {})
    }
    const store = new FileStore({ path }, { ...fs, rename })
    await store.replace(key, entry, await store.load(key))
  },
}

const { type, ...details } = JSON.parse(job)
await jobs[type](details)
