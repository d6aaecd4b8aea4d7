// Who may come in. A real app asks its database; this one has two demo accounts in a JSON file.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { keepFirst } from './data-folder.js'
import { hashPassword, verifyPassword } from './passwords.js'

/** The accounts made at the first start. Their passwords are public: they are on the page. */
export const DEMO_ACCOUNTS = [
  { id: '1', login: 'ada', name: 'Ada Lovelace', password: 'bernoulli-numbers' },
  { id: '2', login: 'grace', name: 'Grace Hopper', password: 'eleven-inches-of-wire' },
]

/** Opens the accounts, and makes them if the file is not there. */
export async function openUsers(path) {
  const users = JSON.parse(read(path) ?? (await seed(path)))
  // Checked when the name is unknown: a wrong name must take as long as a wrong password, or the
  // time of the answer would tell which names exist.
  const decoy = await hashPassword(randomBytes(16).toString('hex'))

  return {
    /** The user with this login and password, or undefined: it does not say which one was wrong. */
    async check(login, password) {
      const user = users.find((candidate) => candidate.login === login)
      const matches = await verifyPassword(password, user?.hash ?? decoy)
      return user && matches ? { id: user.id, name: user.name } : undefined
    },
    all: () => users.map(({ id, login, name }) => ({ id, login, name })),
  }
}

async function seed(path) {
  const users = await Promise.all(
    DEMO_ACCOUNTS.map(async ({ password, ...user }) => ({
      ...user,
      hash: await hashPassword(password),
    })),
  )
  keepFirst(path, `${JSON.stringify(users, null, 2)}\n`)
  return readFileSync(path, 'utf8')
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return undefined
  }
}
