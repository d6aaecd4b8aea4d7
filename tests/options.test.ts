import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { cookieFrom } from '../src/cookie-option.js'
import { MemoryStore, type SessionOptions, session } from '../src/index.js'
import { SECRET } from './support/serve.js'

describe('an option that is wrong', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ secret: undefined }, 'secret is missing'],
    [{ secret: '' }, 'has 0 bytes; it takes 32 or more'],
    [{ secret: 'x'.repeat(31) }, 'has 31 bytes'],
    [{ secret: [] }, 'secret is missing'],
    [{ secret: [SECRET, 'short'] }, 'secret[1] has 5 bytes'],
    [{ secret: 7 }, 'secret is a number'],
    // biome-ignore lint/suspicious/noSparseArray: a mistake that must not pass
    [{ secret: [, SECRET] }, 'secret[0] is undefined'],
    [{ clock: null }, 'clock is null'],
    [{ clock: {} }, 'clock is an object without now, setTimeout, clearTimeout'],
    [{ clock: Date }, 'clock is a function without setTimeout, clearTimeout'],
    [{ store: {} }, 'store is an object without load, create, replace, touch, destroy'],
    [{ store: null }, 'store is null'],
    [{ store: Promise.resolve(new MemoryStore()) }, 'store is a promise without load'],
    [
      { idleTimeout: 0 },
      'idleTimeout is 0; it takes a number above 0, up to 3153600000000, or false for never',
    ],
    [{ idleTimeout: Number.NaN }, 'idleTimeout is NaN'],
    [{ absoluteTimeout: '1d' }, 'absoluteTimeout is a string'],
    [{ idleTimeout: false, absoluteTimeout: false }, 'cannot both be false'],
    [{ storeTimeout: -1 }, 'storeTimeout is -1'],
    [{ concurrency: 'last' }, "it takes 'merge', 'strict', 'overwrite'"],
    [{ onStoreError: true }, 'onStoreError is a boolean'],
    [{ user: 'id' }, 'user is a string; it takes a function'],
    [{ property: '' }, 'property is a string'],
    [{ trustProxy: 1 }, 'trustProxy is a number'],
    [{ tiemout: 1 }, 'Unknown option tiemout'],
    [{ resave: false }, 'one of express-session: here nothing is needed'],
    [{ saveUninitialized: true }, 'a session without data is not stored'],
    [{ rolling: true }, 'idleTimeout slides by itself'],
    [{ unset: 'destroy' }, 'req.session.destroy()'],
    [{ genid: () => 'x' }, 'ids are random'],
    [{ proxy: true }, 'trust proxy'],
    [{ name: 'sid' }, 'use cookie.name'],
    [{ cookie: { maxAge: 1 } }, 'idleTimeout and absoluteTimeout'],
    [{ cookie: 'sid' }, 'cookie is a string'],
    [{ cookie: null }, 'cookie is null'],
    [{ cookie: [] }, 'cookie is an array'],
  ])('%j is named at start', (wrong, message) => {
    const make = () => session({ secret: SECRET, ...wrong } as unknown as SessionOptions)
    expect(make).toThrow(TypeError)
    expect(make).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })

  it.each([
    ['node-redis', { get() {}, set() {}, destroy() {}, sendCommand() {} }],
    ['ioredis', { get() {}, set() {}, del() {}, call() {} }],
  ])('is the client of a database, such as %s, in place of a store', (_, client) => {
    expect(() => session({ secret: SECRET, store: client as never })).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringContaining('pass a store, not its client'),
      }),
    )
  })

  it('is a request, where session itself was taken for the middleware', () => {
    expect(() =>
      (session as (...args: unknown[]) => unknown)(new IncomingMessage(new Socket())),
    ).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringContaining('app.use(session({'),
      }),
    )
  })

  it('shows no secret', () => {
    expect(() => session({ secret: 'a secret that is too short' })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('too short') }),
    )
    expect(() => session({ secret: SECRET, store: SECRET } as never)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(SECRET) }),
    )
  })

  it('is not a store of one’s own', () => {
    expect(session({ secret: SECRET, store: new MemoryStore() }).capabilities).toEqual({
      byUser: true,
      revokeUser: true,
      revoke: true,
      sweep: true,
      atomic: 'everywhere',
    })
  })
})

describe('a cookie that no browser would keep', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ name: '__Host-x', domain: 'example.com' }, 'allows no cookie.domain'],
    [{ name: '__HOST-x', path: '/app' }, "needs cookie.path '/'"],
    [{ name: '__Secure-x', secure: false }, 'needs Secure'],
    [{ name: '__Http-x', secure: false }, 'needs Secure'],
    [{ name: '__HTTP-x', httpOnly: false }, 'needs HttpOnly'],
    [{ name: '__Host-Http-x', httpOnly: false }, 'needs HttpOnly'],
    [{ name: '__Host-Http-x', path: '/app' }, "needs cookie.path '/'"],
    [{ name: '__Host-Http-x', domain: 'example.com' }, 'allows no cookie.domain'],
    [{ sameSite: 'none', secure: false }, 'needs Secure'],
    [{ partitioned: true, secure: false }, 'needs Secure'],
    [{ name: 'a b' }, 'cookie.name is "a b"'],
    [{ name: 'a=b' }, 'cookie.name'],
    [{ name: '' }, 'cookie.name'],
    [{ path: 'app' }, 'cookie.path'],
    [{ path: '/a;b' }, 'cookie.path'],
    [{ path: '/a\nb' }, 'cookie.path'],
    [{ path: `/${'a'.repeat(1024)}` }, 'has 1025 bytes'],
    [{ domain: 'exa mple.com' }, 'cookie.domain'],
    [{ domain: 'example.com; Secure' }, 'cookie.domain'],
    [{ sameSite: 'Lax' }, "it takes 'lax', 'strict', 'none'"],
    [{ secure: 'yes' }, 'cookie.secure'],
    [{ priority: 'urgent' }, 'cookie.priority'],
    [{ httpOnly: 1 }, 'cookie.httpOnly'],
    [{ max_age: 1 }, 'Unknown option cookie.max_age'],
  ])('%j is refused at start', (wrong, message) => {
    expect(() => cookieFrom(wrong)).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION', message: expect.stringContaining(message) }),
    )
  })
})
