import { systemClock } from '../core/clock.js'
import { Notices } from '../core/notices.js'
import type { Encryption } from '../encrypt-option.js'
import { RequestCookie } from './request.js'
import type { Settings } from './settings.js'
import type { KeygripLike } from './signer.js'

/** What the requests of one `cookieSession()` have in common. */
export class House extends Notices {
  readonly settings: Settings
  readonly name: string
  readonly signer: KeygripLike | undefined
  readonly encryption: Encryption | undefined
  readonly value: RequestCookie
  readonly signature: RequestCookie
  /** In ms since the epoch. */
  readonly now = (): number => Date.now()

  constructor(settings: Settings) {
    super(systemClock)
    this.settings = settings
    this.name = settings.name
    this.signer = settings.signer
    this.encryption = settings.encryption
    this.value = new RequestCookie(settings.name)
    this.signature = new RequestCookie(`${settings.name}.sig`)
  }

  warnInsecure(): void {
    this.warn(
      'WARN_INSECURE_HOP',
      'A session cookie with secure: true was not sent, because the request looks like plain http. If TLS ends at a proxy, say so: Express\'s setting "trust proxy".',
    )
  }
}
