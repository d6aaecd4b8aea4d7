import { describe, expect, it } from 'vitest'
import { nameOf, userChange, whoIs } from '../../src/core/user.js'

describe('whose session it is', () => {
  it.each([
    [{ userId: 7 }, '7'],
    [{ uid: 'ada' }, 'ada'],
    [{ user: { id: 1, name: 'Ada' } }, '1'],
    [{ user: { _id: '65f0' } }, '65f0'],
    [{ user: { username: 'ada' } }, 'ada'],
    [{ user: { email: 'ada@example.com' } }, 'ada@example.com'],
    [{ user: 'ada' }, 'ada'],
    [{ passport: { user: 3 } }, '3'],
    [{ passport: { user: { id: 'x' } } }, 'x'],
    [{ username: 'ada' }, 'ada'],
    [{ email: 'ada@example.com' }, 'ada@example.com'],
    [{ userId: '', user: { id: 2 } }, '2'],
    [{ userId: null, uid: undefined }, undefined],
    [{ user: { name: 'only a name' } }, undefined],
    [{ passport: {} }, undefined],
    [{ userId: true }, undefined],
    [{ views: 3 }, undefined],
    [{}, undefined],
  ])('%j: %s', (data, user) => {
    expect(whoIs(data, undefined).user).toBe(user)
  })

  it('is what the own extractor says, and nothing else then', () => {
    expect(whoIs({ userId: 1, account: 5 }, (data) => data.account)).toEqual({
      user: '5',
      signedIn: false,
    })
    expect(whoIs({ loggedIn: true }, () => undefined)).toEqual({ signedIn: false })
  })

  it('takes strings, numbers, bigints and ObjectIds as names', () => {
    class ObjectId {
      toHexString() {
        return '65f0'
      }
      toString() {
        return '65f0'
      }
    }
    expect([
      nameOf(5n),
      nameOf(new ObjectId()),
      nameOf(Number.NaN),
      nameOf({}),
      nameOf([]),
    ]).toEqual(['5', '65f0', undefined, undefined, undefined])
  })
})

describe('a change of user', () => {
  const change = (before: Record<string, unknown>, after: Record<string, unknown>) =>
    userChange(whoIs(before, undefined), whoIs(after, undefined))

  it.each([
    [{}, { userId: 1 }, 'login'],
    [{ userId: 1 }, {}, 'logout'],
    [{ userId: 1 }, { userId: 2 }, 'switch'],
    [{ userId: 1 }, { userId: '1' }, undefined],
    [{ user: { id: 1, name: 'A' } }, { user: { id: 1, name: 'B' } }, undefined],
    [{}, { loggedin: true }, 'login'],
    [{ isLoggedIn: true }, { isLoggedIn: false }, 'logout'],
    [{}, { LOGGED_IN: 'yes' }, 'login'],
    [{}, { user: { name: 'unnamed' } }, 'login'],
    [{ views: 1 }, { views: 2 }, undefined],
    [{}, { isAuth: 0 }, undefined],
  ])('%j to %j: %s', (before, after, expected) => {
    expect(change(before, after)).toBe(expected)
  })
})
