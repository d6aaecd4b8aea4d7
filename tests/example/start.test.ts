import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { pretendNode, runToEnd, SERVER, startApp, temporaryFolder } from './app-process.js'
import { Visitor } from './visitor.js'

/** One line that a person can act on, and nothing a person cannot. */
function expectOneLine(result: { code: number; stdout: string; stderr: string }, line: RegExp) {
  expect(result.stderr).toMatch(line)
  expect(result.stderr.trim().split('\n')).toHaveLength(1)
  expect(result.stdout).toBe('')
  expect(result.code).toBe(1)
}

describe('a start that cannot work ends with one clear line and exit code 1', () => {
  it('when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }

    const env = { PORT: String(port), COATCHECK_DATA: temporaryFolder() }
    expectOneLine(await runToEnd([SERVER], env), new RegExp(`^Port ${port} is taken\\. .*PORT=`))
  })

  it('when the data folder cannot be written', async () => {
    // Below a regular file nobody can make a folder, not even root, whom modes do not stop.
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, '')

    const env = { PORT: '0', COATCHECK_DATA: join(file, 'data') }
    expectOneLine(
      await runToEnd([SERVER], env),
      /^Cannot use the data folder .*file.data \(ENOTDIR/,
    )
  })

  it('when Node is too old', async () => {
    const env = { PORT: '0', COATCHECK_DATA: temporaryFolder() }
    const result = await runToEnd([...pretendNode('20.18.3'), SERVER], env)
    expectOneLine(result, /needs Node 20\.19 or newer, and this is Node 20\.18\.3/)
  })

  it('when the port is not a number', async () => {
    const env = { PORT: 'web', COATCHECK_DATA: temporaryFolder() }
    expectOneLine(await runToEnd([SERVER], env), /^PORT must be a number .*'web'/)
  })
})

it('refuses a store that it does not have', async () => {
  const env = { PORT: '0', COATCHECK_DATA: temporaryFolder(), STORE: 'redis' }
  expectOneLine(
    await runToEnd([SERVER], env),
    /^STORE must be file, cookie, jwt, .*redis:.*'redis'/,
  )
})

describe('a restart', () => {
  it('keeps the visitor signed in, and the count', async () => {
    const data = temporaryFolder()
    const first = await startApp({ data })
    const visitor = new Visitor(first.url)
    expect(await visitor.views()).toBe(1)
    await visitor.signIn()
    expect(await visitor.views()).toBe(2)
    expect(await first.stop('SIGTERM')).toBe(0)

    const second = await startApp({ data, port: first.port })
    expect(await visitor.status('/users')).toBe(200)
    expect(await visitor.views()).toBe(3)
    expect(await second.stop('SIGINT')).toBe(0)
  })

  it('loses nothing that was answered when the process is killed', async () => {
    const data = temporaryFolder()
    const first = await startApp({ data })
    const visitor = new Visitor(first.url)
    await visitor.signIn()
    expect(await first.stop('SIGKILL')).toBe('SIGKILL')

    await startApp({ data, port: first.port })
    expect(await visitor.status('/users')).toBe(200)
  })

  it('keeps its secret in a file that only its owner can read', async () => {
    const data = temporaryFolder()
    const secret = join(data, 'secret')
    await (await startApp({ data })).stop()
    const made = readFileSync(secret, 'utf8')
    expect(Buffer.from(made, 'base64url')).toHaveLength(32)
    expect(statSync(secret).mode & 0o777).toBe(0o600)
    expect(statSync(join(data, 'users.json')).mode & 0o777).toBe(0o600)

    await (await startApp({ data })).stop()
    expect(readFileSync(secret, 'utf8')).toBe(made)
  })
})
