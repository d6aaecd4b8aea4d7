import { systemClock } from '../core/clock.js'
import type { EventName, Events, Listener } from '../core/events.js'
import { Notices } from '../core/notices.js'
import type { WarningCode } from '../errors.js'
import { RequestCookie } from './request.js'
import type { Settings } from './settings.js'
import type { KeygripLike } from './signer.js'

/** What the requests of one `cookieSession()` have in common. */
export class House {
  readonly settings: Settings
  readonly name: string
  readonly signer: KeygripLike | undefined
  readonly value: RequestCookie
  readonly signature: RequestCookie
  readonly #notices = new Notices(systemClock)

  constructor(settings: Settings) {
    this.settings = settings
    this.name = settings.name
    this.signer = settings.signer
    this.value = new RequestCookie(settings.name)
    this.signature = new RequestCookie(`${settings.name}.sig`)
  }

  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    return this.#notices.on(name, listener)
  }

  emit<Name extends EventName>(name: Name, event: Omit<Events[Name], 'at'>): void {
    this.#notices.emit(name, event)
  }

  warn(code: WarningCode, message: string): void {
    this.#notices.warn(code, message)
  }

  warnInsecure(): void {
    this.warn(
      'WARN_INSECURE_HOP',
      'A session cookie with secure: true was not sent, because the request looks like plain http. If TLS ends at a proxy, say so: Express\'s setting "trust proxy".',
    )
  }
}
