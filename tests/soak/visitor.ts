import { Device, type Graveyard, type Outcome } from './device.js'
import { STREAM_CHUNK, STREAM_CHUNKS } from './routes.js'
import type { Answer, Asked, Wire } from './wire.js'

/** Errors that bad weather explains; anything else is a finding. */
const EXPECTED = new Set(['ERR_STORE', 'ERR_STORE_TIMEOUT', 'ERR_GONE'])

/** Of these in a row one succeeds, however bad the weather. */
const MOST_TRIES = 100

/** What a soak knows, and where it writes what must not be. */
export interface Soak {
  readonly wire: Wire
  readonly graveyard: Graveyard
  readonly isOver: () => boolean
  /** Waits while the server is being looked at. */
  readonly gate: () => Promise<void>
  violation(text: string): void
}

/**
 * A user with a few devices, in a closed loop of bursts: parallel requests, and when all have been
 * answered, a look at what is left. So what has to be true is known at every look.
 */
export class Visitor {
  readonly #soak: Soak
  readonly #user: string
  #devices: Device[] = []
  #made = 0

  constructor(soak: Soak, user: string) {
    this.#soak = soak
    this.#user = user
  }

  async run(): Promise<void> {
    try {
      while (!this.#soak.isOver()) {
        await this.#soak.gate()
        await this.#burst()
      }
    } catch (error) {
      this.#soak.violation(`${this.#user} has given up: ${(error as Error).message}`)
    }
  }

  async #burst(): Promise<void> {
    if (this.#devices.length < 3) this.#devices.push(await this.#arrival())
    const device = pick(this.#devices)
    const chance = Math.random()
    if (device.isCrowded || chance < 0.1) await this.#logout(device)
    else if (chance < 0.13) await this.#revoke()
    else if (chance < 0.28) await this.#renewal(device)
    else if (chance < 0.4) await this.#grave()
    else await this.#work(device)
  }

  /** A new session: first data without a user, or a login at once. */
  async #arrival(): Promise<Device> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const device = new Device(`${this.#user}.${++this.#made}`)
      const isLogin = Math.random() < 0.5
      const answer = isLogin
        ? await this.#ask(device, 'POST', '/login', { user: this.#user })
        : await this.#ask(device, 'POST', '/set', { key: 'k0', value: '"first"' })
      if (answer.status !== 200) continue
      if (!answer.cookie) this.#wrong(device, 'a new session came without a cookie')
      else device.renewed(answer.cookie)
      if (isLogin) device.user = this.#user
      else device.wrote('k0', '"first"', 'done')
      return device
    }
    throw new Error('no session can be started')
  }

  /** Parallel writes of different keys, counters, streams and aborts; nothing ends here. */
  async #work(device: Device): Promise<void> {
    const keys = device.freeKeys(6)
    const parts = [...keys.map((key) => this.#write(device, key, 'quiet'))]
    for (let i = 0; i < 3; i++) parts.push(this.#add(device, 'quiet'))
    await Promise.all(shuffled(parts.slice(Math.floor(Math.random() * 5))).map((part) => part()))
    await this.#look(device)
  }

  /** A new id, by a login or on request, while others write under the old one. */
  async #renewal(device: Device): Promise<void> {
    const isLogin = device.user === undefined
    const renew = () =>
      isLogin
        ? this.#ask(device, 'POST', '/login', { user: this.#user, ...some({ save: '1' }) })
        : this.#ask(device, 'POST', '/regenerate', {})
    const writes = device.freeKeys(3).map((key) => this.#write(device, key, 'renewing'))
    const [answer] = await Promise.all([
      renew(),
      this.#add(device, 'renewing')(),
      ...writes.map((write) => write()),
    ])
    if (answer.status === 200 && answer.cookie) {
      device.renewed(answer.cookie)
      if (isLogin) device.user = this.#user
      this.#soak.graveyard.add(device.former)
      return this.#look(device)
    }
    if (answer.status === 200) return this.#wrong(device, 'a renewal came without a cookie')
    // Whether the session goes on, nobody has been told; if it does, then with all it had.
    const data = await this.#read(device.cookie)
    if (data === undefined) return this.#forget(device)
    if (isEmpty(data)) return this.#ended(device)
    if (isLogin && data.userId !== undefined) device.user = this.#user
    this.#check(device, data)
  }

  async #logout(device: Device): Promise<void> {
    const late = device.freeKeys(3).map((key) => this.#write(device, key, 'ending'))
    const writes = Promise.all(late.map((write) => write()))
    const how = pick(['destroy', 'null', 'delete'])
    await this.#until(() => this.#ask(device, 'POST', '/logout', { how }))
    await writes
    await this.#ended(device)
  }

  /** Ends all sessions of the user, or all but one, while they are busy. */
  async #revoke(): Promise<void> {
    const busy = this.#devices.filter(({ user }) => user !== undefined)
    const kept = Math.random() < 0.5 ? busy[0] : undefined
    const revoked = busy.filter((device) => device !== kept)
    const asker = kept ?? new Device('nobody')
    const parts = revoked.flatMap((device) => [
      ...device.freeKeys(2).map((key) => this.#write(device, key, 'ending')),
      ...(Math.random() < 0.5 ? [() => this.#renewWhileRevoked(device)] : []),
    ])
    const others = Promise.all(parts.map((part) => part()))
    const query = { user: this.#user, ...(kept === undefined ? {} : { keep: '1' }) }
    await this.#until(() => this.#ask(asker, 'POST', '/revoke', query))
    await others
    for (const device of revoked) await this.#ended(device)
    if (kept !== undefined) await this.#look(kept)
  }

  async #renewWhileRevoked(device: Device): Promise<void> {
    const { status, cookie } = await this.#ask(device, 'POST', '/regenerate', {})
    if (status === 200 && cookie) device.renewed(cookie)
  }

  /** An ended cookie, at any time later: it is nobody's, and what it writes is another session. */
  async #grave(): Promise<void> {
    const cookie = this.#soak.graveyard.any()
    if (cookie === undefined) return
    if (Math.random() < 0.3) {
      const device = new Device('a ghost')
      device.cookie = cookie
      const answer = await this.#ask(device, 'POST', '/set', { key: 'k0', value: '1' })
      if (answer.cookie === cookie) this.#wrong(device, 'an ended cookie was sent again')
      if (answer.cookie) {
        const started = new Device('started by a ghost')
        started.cookie = answer.cookie
        await this.#until(() => this.#ask(started, 'POST', '/logout', { how: 'destroy' }))
      }
    }
    await this.#mustBeDead('an old cookie', cookie)
  }

  /** One write of a key, by one of the ways to write. */
  #write(device: Device, key: string, during: During): () => Promise<void> {
    return async () => {
      const value = JSON.stringify(Math.random() < 0.9 ? rare() : { deep: [rare(), { a: null }] })
      const chance = Math.random()
      const wait = during === 'quiet' && chance < 0.8 ? '0' : String(Math.floor(chance * 20))
      if (during === 'quiet' && chance < 0.06) {
        const abort = Math.floor(Math.random() * 12)
        await this.#ask(device, 'POST', '/set', { key, value, wait: '5' }, { abort })
        return device.wrote(key, value, 'maybe')
      }
      if (during === 'quiet' && chance < 0.12) {
        const answer = await this.#ask(device, 'POST', '/stream', { key, value })
        const length = STREAM_CHUNKS * STREAM_CHUNK.length
        if (answer.status === 200 && answer.body.length !== length) {
          this.#wrong(device, `a stream has ${answer.body.length} bytes`)
        }
        return device.wrote(key, value, this.#outcome(device, answer, during))
      }
      if (during === 'quiet' && chance < 0.22) {
        const answer = await this.#ask(device, 'POST', '/delete', { key })
        return device.wrote(key, undefined, this.#outcome(device, answer, during))
      }
      // Only an explicit save tells a handler that its session has got another id meanwhile.
      const save = during === 'renewing' ? { save: '1' } : some({ save: '1' })
      const answer = await this.#ask(device, 'POST', '/set', { key, value, wait, ...save })
      device.wrote(key, value, this.#outcome(device, answer, during))
    }
  }

  #add(device: Device, during: During): () => Promise<void> {
    return async () => {
      const key = pick(['n0', 'n1'])
      const answer = await this.#ask(device, 'POST', '/add', { key, wait: '0' })
      const outcome = this.#outcome(device, answer, during)
      const given = outcome === 'done' ? (JSON.parse(answer.body).n as number) : undefined
      const wrong = device.added(key, given, outcome)
      if (wrong !== undefined) this.#wrong(device, wrong)
    }
  }

  #outcome(device: Device, answer: Answer, during: During): Outcome {
    if (answer.status === 200) {
      // What comes after an end starts a session of its own.
      const mayStart = during === 'ending'
      if (answer.cookie !== undefined && !(mayStart && !device.cookies.includes(answer.cookie))) {
        this.#wrong(device, 'a write came with a cookie')
      }
      return 'done'
    }
    if (answer.code !== 'ERR_GONE') return 'maybe'
    if (during === 'quiet') this.#wrong(device, 'a live session was called gone')
    return 'not-done'
  }

  async #look(device: Device): Promise<void> {
    const data = await this.#read(device.cookie)
    if (data === undefined) return this.#forget(device)
    this.#check(device, data)
    const old = device.former.at(-1)
    if (old !== undefined && Math.random() < 0.3) await this.#mustBeDead(device.name, old)
  }

  #check(device: Device, data: Record<string, unknown>): void {
    const wrong = device.contradictions(data)
    for (const text of wrong) this.#wrong(device, text)
    // What is broken once would be told again at every look.
    if (wrong.length > 0) this.#forget(device)
  }

  /** The end was acknowledged: nothing leads there any more, at either node. */
  async #ended(device: Device): Promise<void> {
    this.#forget(device)
    this.#soak.graveyard.add(device.cookies)
    for (const cookie of device.cookies.slice(-2)) {
      await this.#mustBeDead(device.name, cookie)
      await this.#mustBeDead(device.name, cookie)
    }
  }

  async #mustBeDead(name: string, cookie: string): Promise<void> {
    const data = await this.#read(cookie)
    if (data === undefined || isEmpty(data)) return
    this.#soak.violation(`${name}: undone end, an ended cookie shows ${Object.keys(data).join()}`)
  }

  /** The data behind a cookie; undefined: the weather is too bad to tell. */
  async #read(cookie: string | undefined): Promise<Record<string, unknown> | undefined> {
    for (let tries = 0; tries < 20; tries++) {
      const answer = await this.#soak.wire.ask('GET', '/read', {}, { cookie })
      if (answer.cookie !== undefined) this.#soak.violation('a read came with a cookie')
      if (answer.status === 200) return JSON.parse(answer.body).data
    }
    return undefined
  }

  async #until(ask: () => Promise<Answer>): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) if ((await ask()).status === 200) return
    throw new Error('no session can be ended')
  }

  async #ask(
    device: Device,
    method: 'GET' | 'POST',
    path: string,
    query: object,
    how: Omit<Asked, 'cookie'> = {},
  ): Promise<Answer> {
    const answer = await this.#soak.wire.ask(method, path, query, { cookie: device.cookie, ...how })
    const { code, status } = answer
    // A handler that goes on writing cannot be given an error page.
    const isBare = code === 'bare' && path === '/stream' && status === 500
    if (code !== undefined && !EXPECTED.has(code) && !isBare) {
      this.#wrong(device, `${path}: ${status} ${code}`)
    }
    if (status === 0 && how.abort === undefined) this.#wrong(device, `${path}: ${answer.broken}`)
    return answer
  }

  #forget(device: Device): void {
    this.#devices = this.#devices.filter((one) => one !== device)
  }

  #wrong(device: Device, text: string): void {
    this.#soak.violation(`${device.name}: ${text}`)
  }
}

/** What else goes on with the session while it is written to. */
type During = 'quiet' | 'renewing' | 'ending'

function isEmpty(data: Record<string, unknown>): boolean {
  return Object.keys(data).length === 0
}

let last = 0
/** A value that no other write has. */
function rare(): number {
  return ++last
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!
}

function some<T extends object>(query: T): T | object {
  return Math.random() < 0.5 ? query : {}
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
