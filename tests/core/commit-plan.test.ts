import { describe, expect, it } from 'vitest'
import { type CommitPlan, type CommitState, planCommit } from '../../src/core/commit-plan.js'

const clean: CommitState = {
  stored: 'none',
  asked: 'nothing',
  authenticated: false,
  saving: false,
  destroyed: false,
  changed: false,
  hasData: false,
  userChange: undefined,
  freshId: false,
  cookieDue: false,
  travels: false,
  cookieOpen: true,
}
const data = { changed: true, hasData: true } as const
const live = { stored: 'live', hasData: true } as const
const login = { ...data, userChange: 'login' } as const
const late = { cookieOpen: false } as const

const nothing: CommitPlan = { write: 'none', cookie: 'none' }
const create: CommitPlan = { write: 'create', cookie: 'set' }
const replace = (cookie: 'none' | 'set' = 'none', restart = false): CommitPlan => ({
  write: 'replace',
  cookie,
  restart,
})
const renew = (
  reason: 'login' | 'logout' | 'switch' | 'regenerate' | 'authenticated',
  restart: boolean,
): CommitPlan => ({ write: 'renew', cookie: 'set', reason, restart })
const drop = (reason: 'gone' | 'superseded' | 'destroyed' | 'unavailable' | 'too-late') =>
  ({ write: 'drop', reason }) as const
const refuse: CommitPlan = { write: 'refuse', code: 'ERR_READ_ONLY' }

const table: readonly [string, Partial<CommitState>, CommitPlan][] = [
  // A new session.
  ['no cookie, no data: nothing', {}, nothing],
  ['the first data creates', data, create],
  ['an explicit save creates an empty session', { saving: true }, create],
  ['data after the headers comes too late', { ...data, ...late }, drop('too-late')],
  ['a login after the headers comes too late', { ...login, ...late }, drop('too-late')],
  ['a lifetime without data is no reason to store', { changed: true }, nothing],
  // A token that leads to nothing.
  ['gone and untouched: neither the old cookie nor a deletion', { stored: 'gone' }, nothing],
  ['gone, and new data: a new session', { ...data, stored: 'gone' }, create],
  [
    'superseded: ordinary data starts nothing',
    { ...data, stored: 'superseded' },
    drop('superseded'),
  ],
  ['superseded: a login does', { ...login, stored: 'superseded' }, create],
  ['superseded and untouched: nothing', { stored: 'superseded' }, nothing],
  // A live session.
  ['clean: nothing', live, nothing],
  ['changed: replace, and no cookie', { ...live, ...data }, replace()],
  ['emptied: it stays', { stored: 'live', changed: true }, replace()],
  ['changed after the headers: still stored', { ...live, ...data, ...late }, replace()],
  [
    'a due cookie is sent once the store has confirmed',
    { ...live, cookieDue: true },
    { write: 'confirm', cookie: 'set' },
  ],
  ['a due cookie goes along with a change', { ...live, ...data, cookieDue: true }, replace('set')],
  ['a due cookie waits if the headers have left', { ...live, cookieDue: true, ...late }, nothing],
  ['an explicit save of a clean session writes nothing', { ...live, saving: true }, nothing],
  // The user changes.
  ['login renews', { ...live, ...login }, renew('login', true)],
  ['logout renews', { ...live, ...data, userChange: 'logout' }, renew('logout', true)],
  ['switch renews', { ...live, ...data, userChange: 'switch' }, renew('switch', true)],
  [
    'login under an id made in this response: the clocks only',
    { ...live, ...login, freshId: true },
    replace('none', true),
  ],
  ['login after the headers comes too late', { ...live, ...login, ...late }, drop('too-late')],
  // regenerate and authenticated.
  [
    'regenerate with data renews, and the clocks run on',
    { ...live, ...data, asked: 'regenerate' },
    renew('regenerate', false),
  ],
  [
    'regenerate and login restart the clocks',
    { ...live, ...login, asked: 'regenerate' },
    renew('login', true),
  ],
  [
    'regenerate with nothing to go on ends the session',
    { stored: 'live', asked: 'regenerate' },
    { write: 'destroy', cookie: 'clear' },
  ],
  [
    'regenerate twice in a response: one new id',
    { ...live, ...data, asked: 'regenerate', freshId: true },
    replace(),
  ],
  [
    'a re-authentication renews and restarts',
    { ...live, authenticated: true },
    renew('authenticated', true),
  ],
  [
    'regenerate and save() with nothing to go on start an empty session',
    { stored: 'live', asked: 'regenerate', saving: true },
    renew('regenerate', false),
  ],
  [
    'regenerate after a re-authentication restarts',
    { ...live, asked: 'regenerate', authenticated: true },
    renew('authenticated', true),
  ],
  // destroy.
  ['destroy ends and clears', { ...live, asked: 'destroy' }, { write: 'destroy', cookie: 'clear' }],
  [
    'destroy after the headers: the record only',
    { ...live, asked: 'destroy', ...late },
    { write: 'destroy', cookie: 'none' },
  ],
  [
    'destroy of a new session clears the cookie',
    { asked: 'destroy' },
    { write: 'none', cookie: 'clear' },
  ],
  [
    'destroy of a gone session clears the cookie',
    { stored: 'gone', asked: 'destroy' },
    { write: 'none', cookie: 'clear' },
  ],
  [
    'destroy of an ended session clears the cookie',
    { stored: 'ended', asked: 'destroy' },
    { write: 'none', cookie: 'clear' },
  ],
  ['data after destroy goes nowhere', { ...data, destroyed: true }, drop('destroyed')],
  ['a login after destroy goes nowhere', { ...login, destroyed: true }, drop('destroyed')],
  // Ended while the request ran.
  ['ended: a change is dropped', { ...data, stored: 'ended' }, drop('gone')],
  ['ended: a login is dropped', { ...login, stored: 'ended' }, drop('gone')],
  ['ended and clean: nothing', { stored: 'ended', hasData: true }, nothing],
  // The store failed at load.
  ['unavailable and clean: nothing', { stored: 'unavailable' }, nothing],
  [
    'unavailable: ordinary data is dropped',
    { ...data, stored: 'unavailable' },
    drop('unavailable'),
  ],
  ['unavailable: a login is refused', { ...login, stored: 'unavailable' }, refuse],
  ['unavailable: save is refused', { saving: true, stored: 'unavailable' }, refuse],
  ['unavailable: destroy is refused', { asked: 'destroy', stored: 'unavailable' }, refuse],
]

describe('the commit plan', () => {
  it.each(table)('%s', (_name, state, plan) => {
    expect(planCommit({ ...clean, ...state })).toEqual(plan)
  })

  it('never sends a cookie once the headers have left, whatever the state', () => {
    for (const state of everyState()) {
      const plan = planCommit({ ...state, cookieOpen: false })
      if ('cookie' in plan) expect(plan.cookie, JSON.stringify(state)).toBe('none')
    }
  })

  it('brings nothing back: only a live record is replaced, renewed or destroyed', () => {
    for (const state of everyState()) {
      const { write } = planCommit(state)
      if (['replace', 'renew', 'destroy', 'confirm'].includes(write)) {
        expect(state.stored, JSON.stringify(state)).toBe('live')
      }
    }
  })

  it('clears the cookie only for destroy, and for regenerate without data', () => {
    for (const state of everyState()) {
      const plan = planCommit(state)
      if ('cookie' in plan && plan.cookie === 'clear') {
        expect(['destroy', 'regenerate'], JSON.stringify(state)).toContain(state.asked)
      }
    }
  })
})

function* everyState(): Generator<CommitState> {
  const both = [false, true]
  for (const stored of ['none', 'live', 'gone', 'superseded', 'ended', 'unavailable'] as const)
    for (const asked of ['nothing', 'destroy', 'regenerate'] as const)
      for (const authenticated of both)
        for (const saving of both)
          for (const userChange of [undefined, 'login', 'logout', 'switch'] as const)
            for (const destroyed of both)
              for (const changed of both)
                for (const hasData of both)
                  for (const freshId of both)
                    for (const cookieDue of both)
                      for (const travels of both)
                        for (const cookieOpen of both)
                          yield {
                            stored,
                            asked,
                            authenticated,
                            saving,
                            userChange,
                            destroyed,
                            changed,
                            hasData,
                            freshId,
                            cookieDue,
                            travels,
                            cookieOpen,
                          }
}
