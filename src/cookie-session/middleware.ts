import { systemClock } from '../core/clock.js'
import type { EventName, Listener } from '../core/events.js'
import type { Anything } from '../express-session/anything.js'
import { keepRequestCheap } from '../http/dictionary.js'
import { holdResponse } from '../http/hold-response.js'
import type { ResponseLike } from '../http/response-like.js'
import type { CookieSession, RequestWithCookieSession } from './express-request.js'
import { House } from './house.js'
import type { CookieSessionOptions } from './options.js'
import type { Request } from './request.js'
import type { Callback } from './session.js'
import { settingsFrom } from './settings.js'
import type { Key, KeygripLike } from './signer.js'
import { Visit } from './visit.js'

/** How long the taker of an error has to begin its page, in ms. Nothing else is waited for. */
const HOLD = { maxHeldBytes: 65_536, patience: 2_000, clock: systemClock }

/** What `cookieSession()` gives: the middleware. */
export interface CookieSessionMiddleware {
  (req: Anything, res: Anything, next: (error?: Anything) => void): void
  /** Listens to `warning`, `error` or `reject`; gives the function that ends it. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void
}

/** Sessions with the options and the cookies of cookie-session. */
function cookieSession(options?: CookieSessionOptions): CookieSessionMiddleware {
  const house = new House(settingsFrom(options ?? {}))
  const middleware = (req: Request, res: ResponseLike, next: (error?: unknown) => void): void => {
    keepRequestCheap(req)
    const visit = new Visit(house, req, res)
    Object.defineProperty(req, 'session', {
      configurable: true,
      enumerable: true,
      get: () => visit.session,
      set: (value: unknown) => {
        visit.session = value
      },
    })
    holdResponse(res, visit, next, HOLD)
    next()
  }
  return Object.assign(middleware, {
    on: <Name extends EventName>(name: Name, listener: Listener<Name>) => house.on(name, listener),
  })
}

Object.assign(cookieSession, { cookieSession, default: cookieSession })

// What a program finds on the function, which is all that `require` gives.
declare namespace cookieSession {
  export {
    type Callback,
    type CookieSession,
    type CookieSessionMiddleware,
    type CookieSessionOptions,
    cookieSession,
    type Key,
    type KeygripLike,
    type RequestWithCookieSession,
  }
}

export { cookieSession }
