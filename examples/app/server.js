// Starts the example: `npm start`, or `node examples/app/server.js` once the package is built.
// PORT, HOST and COATCHECK_DATA (the folder that outlives a restart) change where it is; STORE=cookie
// and STORE=jwt leave the sessions to the visitors, where STORE=file (as by default) keeps them, and
// the URL of a server gives them to it: see store.js.
// Everything that can go wrong at a start ends here, as one line that says what to do.
import { once } from 'node:events'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

function fail(line) {
  console.error(line)
  process.exit(1)
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`This example needs Node 20.19 or newer, and this is Node ${process.versions.node}.`)
}

const port = Number(process.env.PORT || 3000)
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  fail(`PORT must be a number from 0 to 65535, and it is '${process.env.PORT}'.`)
}
// The demo accounts have published passwords, so nobody but this machine may reach them by default.
const host = process.env.HOST || '127.0.0.1'
const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const data = resolve(process.env.COATCHECK_DATA || join(root, '.data'))

// Loaded here and not above, so that an old Node and a missing build get a sentence too.
const [
  { createApp },
  { openDataFolder, readSecret },
  { openUsers },
  { isKind, KINDS, openStore, shown },
] = await Promise.all([
  import('./app.js'),
  import('./data-folder.js'),
  import('./users.js'),
  import('./store.js'),
]).catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
  return fail('Something is not installed or not built yet: `npm start` does both, then starts.')
})

const kind = process.env.STORE || 'file'
if (!isKind(kind)) fail(`STORE must be ${KINDS}, and it is '${shown(kind)}'.`)

let secret
let users
try {
  openDataFolder(data)
  secret = readSecret(join(data, 'secret'))
  users = await openUsers(join(data, 'users.json'))
} catch (error) {
  fail(
    `Cannot use the data folder ${data} (${error.code ?? error.message}). ` +
      'COATCHECK_DATA=/another/folder moves it.',
  )
}

const path = join(data, 'sessions')
const place = await openStore(kind, { secret, path }).catch(({ message }) => fail(message))
const { app, sessions } = createApp({ ...place.options, users })

const server = app.listen(port, host)
try {
  await once(server, 'listening')
} catch (error) {
  if (error.code === 'EADDRINUSE') {
    fail(
      `Port ${port} is taken. Choose another one: PORT=${port === 65535 ? 3001 : port + 1} npm start`,
    )
  }
  fail(`Cannot listen on ${host}:${port} (${error.code ?? error.message}).`)
}
const name = host === '127.0.0.1' ? 'localhost' : host
console.log(`Coatcheck is open: http://${name}:${server.address().port} (Ctrl-C closes it)`)

async function stop() {
  // No new requests; the running ones finish, but a stuck one may not keep the house open.
  server.close()
  setTimeout(() => server.closeAllConnections(), 3000).unref()
  await once(server, 'close')
  // Last, because the requests above still write their sessions.
  await sessions.close()
  // Most clients wait for what their server has not answered, and one that hangs never does.
  setTimeout(() => process.exit(0), 3000).unref()
  await place.close?.()
  process.exit(0)
}
process.once('SIGINT', stop)
process.once('SIGTERM', stop)
