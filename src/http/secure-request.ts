/** What of a request is read here; Express's own `secure` where there is one. */
export interface RequestLike {
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly socket?: unknown
  /** Express: true for TLS, and for a forwarded https that its `trust proxy` setting believes. */
  readonly secure?: boolean
  /** Express: the application, whose settings can be read. */
  readonly app?: unknown
}

/** How a request came in, as far as this process can know. */
export interface Hop {
  /** Known to be secure. False also means "not known": TLS often ends at a proxy. */
  readonly decided: boolean
  /** The socket of this process is TLS. */
  readonly socket: boolean
  /** What a proxy says in X-Forwarded-Proto (first value), if anything. */
  readonly forwardedProto: string | undefined
  /** Whether such a header is believed, by Express's `trust proxy` or the option `trustProxy`. */
  readonly trusted: boolean
}

/** Why the visitor may not have the cookie, or not the one that was meant. */
export type HopProblem =
  /** Sent with Secure, and the request looks like plain http: browsers may refuse it. */
  | 'secure-over-http'
  /** Sent without Secure, although a proxy says https that nobody here believes. */
  | 'https-not-trusted'

/** Whether the request is known to have come over TLS. */
export function isSecure(req: RequestLike, trustProxy: boolean): boolean {
  if (isTls(req) || req.secure === true) return true
  return trustProxy && forwardedProto(req) === 'https'
}

/** The same with its reasons, for warnings and `explain`. */
export function inspectHop(req: RequestLike, trustProxy: boolean): Hop {
  const socket = isTls(req)
  const decided = isSecure(req, trustProxy)
  const forwarded = forwardedProto(req)
  // Express trusts by address. Of https its answer tells; of anything else only the setting does.
  const byExpress = forwarded === 'https' && !socket ? req.secure === true : trustsProxies(req)
  return { decided, socket, forwardedProto: forwarded, trusted: trustProxy || byExpress }
}

/** What is wrong between the proxies and the settings, if a cookie is sent in this form. */
export function hopProblem(
  { decided, forwardedProto }: Hop,
  sentSecure: boolean,
  setting: 'auto' | boolean,
): HopProblem | undefined {
  if (decided) return undefined
  if (sentSecure) return 'secure-over-http'
  return setting === 'auto' && forwardedProto === 'https' ? 'https-not-trusted' : undefined
}

/** The same for the log: protocol, forwarded header, trust setting, and what to do. */
export function hopWarning(problem: HopProblem, { forwardedProto, trusted }: Hop): string {
  const seen = `X-Forwarded-Proto: ${shown(forwardedProto)}, ${trusted ? 'trusted' : 'not trusted'}`
  const tell = 'Express\'s setting "trust proxy", or the option trustProxy'
  return problem === 'secure-over-http'
    ? `A Secure cookie was sent on a request that looks like plain http (${seen}). Browsers keep it only if TLS ends in front of this process; if it does, say so: ${tell}.`
    : `A proxy says that the visitor came by https (${seen}), so the cookie was sent without Secure. If it is your proxy, say so: ${tell}.`
}

/** Anybody can send the header, and anything in it: only what is a protocol goes into a log. */
function shown(proto: string | undefined): string {
  if (proto === undefined) return 'none'
  return proto === 'https' || proto === 'http' ? proto : 'something else'
}

function trustsProxies({ app }: RequestLike): boolean {
  const { enabled } = (app ?? {}) as { enabled?: unknown }
  return typeof enabled === 'function' && enabled.call(app, 'trust proxy') === true
}

function isTls(req: RequestLike): boolean {
  return (req.socket as { encrypted?: unknown } | null | undefined)?.encrypted === true
}

/** A chain of proxies appends; the first value is the one next to the client. */
function forwardedProto({ headers }: RequestLike): string | undefined {
  const value = headers['x-forwarded-proto']
  const first = Array.isArray(value) ? value[0] : value
  return first?.split(',', 1)[0]?.trim().toLowerCase()
}
