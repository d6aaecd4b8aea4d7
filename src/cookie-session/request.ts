import type { CookieSessionOptions } from './options.js'

/** What of a request is read and set here. */
export interface Request {
  readonly headers: { readonly cookie?: string | undefined }
  readonly socket?: unknown
  /** Express: https also where a proxy says so that is trusted. */
  readonly protocol?: unknown
  sessionOptions?: CookieSessionOptions
  session?: unknown
}

/** Whether the request came over TLS, as far as Express or the socket knows. */
export function isSecure({ protocol, socket }: Request): boolean {
  return protocol === 'https' || Boolean((socket as { encrypted?: unknown } | null)?.encrypted)
}

/** One cookie of a request's header, by its name. */
export class RequestCookie {
  readonly #pattern: RegExp

  constructor(name: string) {
    const escaped = name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    this.#pattern = new RegExp(`(?:^|;) *${escaped}=([^;]*)`)
  }

  /** The first of the name, without quotes, and not decoded: signatures are over what was sent. */
  find(header: string): string | undefined {
    const value = this.#pattern.exec(header)?.[1]
    return value?.startsWith('"') ? value.slice(1, -1) : value
  }
}
