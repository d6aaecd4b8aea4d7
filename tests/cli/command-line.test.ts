import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { runCommandLine } from '../../src/cli/command-line.js'
import { newSecret } from '../../src/cli/secret.js'
import { session } from '../../src/index.js'
import { CookieStore } from '../../src/stores/cookie.js'
import { JwtStore } from '../../src/stores/jwt.js'
import { builtUrl } from '../support/built.js'

/** What a command line prints, and its exit code. */
async function typed(...args: string[]) {
  const lines = { out: [] as string[], err: [] as string[] }
  const code = await runCommandLine(
    args,
    { out: (line) => void lines.out.push(line), err: (line) => void lines.err.push(line) },
    () => '1.2.3',
  )
  return { code, out: lines.out.join('\n'), err: lines.err.join('\n') }
}

describe('coatcheck secret', () => {
  it('prints 32 random bytes as base64url, another one each time, and nothing else', async () => {
    const said = [await typed('secret'), await typed('secret')]
    for (const { code, out, err } of said) {
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(Buffer.from(out, 'base64url')).toHaveLength(32)
    }
    expect(said[0]!.out).not.toBe(said[1]!.out)
  })

  it('makes what each option takes', () => {
    const secret = newSecret()
    expect(() => session({ secret })).not.toThrow()
    expect(() => new CookieStore({ keys: secret })).not.toThrow()
    expect(() => new JwtStore({ keys: secret })).not.toThrow()
  })

  it('makes none that a program would take for an option', () => {
    const firsts = new Set(Array.from({ length: 5000 }, () => newSecret()[0]))
    expect(firsts.size).toBe(63)
    expect(firsts).not.toContain('-')
  })

  it('takes nothing more, so that a typing error is no secret of another kind', async () => {
    expect(await typed('secret', '--bytes=16')).toEqual({
      code: 2,
      out: '',
      err: 'coatcheck secret takes nothing more.',
    })
  })
})

describe('the command line', () => {
  it.each([['help'], ['--help'], ['-h'], ['secret', '--help']])(
    'tells its commands: coatcheck %s %s',
    async (...args) => {
      const { code, out, err } = await typed(...args)
      expect([code, err]).toEqual([0, ''])
      expect(out).toMatch(/^Usage: coatcheck <command>\n\n {2}secret {4,}prints/)
    },
  )

  it.each(['--version', '-v'])('tells its version: %s', async (name) => {
    expect(await typed(name)).toEqual({ code: 0, out: '1.2.3', err: '' })
  })

  it.each(['secrets', '', '__proto__', 'constructor', '--secret'])(
    'says in one line that it has no command %j, with exit code 2',
    async (name) => {
      expect(await typed(name)).toEqual({
        code: 2,
        out: '',
        err: `coatcheck has no command ${JSON.stringify(name)}. Try: coatcheck help`,
      })
    },
  )

  it('tells its commands where none is given, as an error', async () => {
    const { code, out, err } = await typed()
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('Usage: coatcheck <command>')
  })
})

describe('the program', () => {
  let program: string
  beforeAll(() => {
    program = fileURLToPath(builtUrl('cli/main.js'))
  }, 60_000)

  it('writes a secret and a line end to stdout, and ends by itself', async () => {
    const said = await ended(spawn(process.execPath, [program, 'secret']))
    expect(said).toEqual({ code: 0, out: expect.stringMatching(/^[\w-]{43}\n$/), err: '' })
  })

  it('says on stderr what it does not know', async () => {
    const { code, out, err } = await ended(spawn(process.execPath, [program, 'nothing']))
    expect([code, out]).toEqual([2, ''])
    expect(err).toBe('coatcheck has no command "nothing". Try: coatcheck help\n')
  })

  it('is silent when nobody reads on: a closed pipe is no failure', async () => {
    // Node starts slower than the pipe is closed; it has to wait for its input to be sure.
    const waiting = `process.stdin.once('end', () => import(process.env.PROGRAM)).resume()`
    const child = spawn(process.execPath, ['-e', waiting, 'x', 'secret'], {
      env: { ...process.env, PROGRAM: builtUrl('cli/main.js') },
    })
    const said = ended(child)
    child.stdout.destroy()
    child.stdin.end()
    expect(await said).toEqual({ code: 0, out: '', err: '' })
  })

  it.runIf(process.platform === 'linux')('fails where the secret cannot be written', async () => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [program, 'secret'], { stdio: ['ignore', full, 'pipe'] })
    const { code, err } = await ended(child)
    expect(code).toBe(1)
    expect(err).toMatch(/^coatcheck cannot write: .*ENOSPC.*\n$/)
  })
})

function ended(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  const said = { out: '', err: '' }
  for (const [name, stream] of [['out', child.stdout] as const, ['err', child.stderr] as const]) {
    stream?.on('data', (chunk) => {
      said[name] += String(chunk)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...said }))
  })
}
