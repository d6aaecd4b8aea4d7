import { describe, expect, it } from 'vitest'
import { type SessionOptions, session } from '../../src/index.js'
import { SECRET, serveApp } from '../support/serve.js'

/** Every option of express-session 1.19 that is none here, and what its error has to name instead. */
const OLD: readonly (readonly [options: object, name: string, instead: string])[] = [
  [{ resave: false }, 'resave', 'nothing is needed'],
  [{ resave: true }, 'resave', 'nothing is needed'],
  [{ saveUninitialized: false }, 'saveUninitialized', 'nothing is needed'],
  [{ saveUninitialized: true }, 'saveUninitialized', 'nothing is needed'],
  [{ rolling: true }, 'rolling', 'idleTimeout'],
  [{ unset: 'destroy' }, 'unset', 'destroy()'],
  [{ unset: 'keep' }, 'unset', 'destroy()'],
  [{ genid: () => 'x' }, 'genid', 'nothing is needed'],
  [{ proxy: true }, 'proxy', 'trust proxy'],
  [{ proxy: true }, 'proxy', 'cookie.secure'],
  [{ name: 'connect.sid' }, 'name', 'cookie.name'],
  [{ key: 'connect.sid' }, 'key', 'cookie.name'],
  [{ cookie: { maxAge: 60_000 } }, 'cookie.maxAge', 'idleTimeout and absoluteTimeout'],
  [{ cookie: { maxAge: 60_000 } }, 'cookie.maxAge', 'cookie.persistent'],
  [{ cookie: { maxAge: null } }, 'cookie.maxAge', 'idleTimeout and absoluteTimeout'],
  [{ cookie: { expires: new Date() } }, 'cookie.expires', 'idleTimeout and absoluteTimeout'],
  [{ cookie: { originalMaxAge: 1 } }, 'cookie.originalMaxAge', 'idleTimeout and absoluteTimeout'],
  [{ cookie: { signed: true } }, 'cookie.signed', 'nothing is needed'],
  [{ cookie: { overwrite: true } }, 'cookie.overwrite', 'nothing is needed'],
]

describe('an option of express-session', () => {
  it.each(OLD)('%j is an error at start, which names %s and says: %s', (options, name, instead) => {
    const make = () => session({ secret: SECRET, ...options } as unknown as SessionOptions)
    expect(make).toThrow(TypeError)
    expect(make).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringMatching(new RegExp(`^The option ${name} is one of express-session`)),
      }),
    )
    expect(make).toThrow(instead)
  })

  it('that a cookie function gives fails the request, and no other', async () => {
    const cookie = ({ headers }: { headers: object }) =>
      'x-old' in headers ? ({ maxAge: 1 } as object) : {}
    const { browser } = await serveApp(() => {}, { cookie })
    const failed = await browser().get('/', { headers: { 'x-old': '1' } })
    expect(failed.status).toBe(500)
    expect(failed.json()).toMatchObject({ code: 'ERR_OPTION' })
    expect((await browser().get('/')).status).toBe(200)
  })
})
