/** What of a request is read here; Express's own `secure` where there is one. */
export interface RequestLike {
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly socket?: unknown
  /** Express: true for TLS, and for a forwarded https that its `trust proxy` setting believes. */
  readonly secure?: boolean
}

/** How a request came in, as far as this process can know. */
export interface Hop {
  /** Known to be secure. False also means "not known": TLS often ends at a proxy. */
  readonly decided: boolean
  /** The socket of this process is TLS. */
  readonly socket: boolean
  /** What a proxy says in X-Forwarded-Proto (first value), if anything. */
  readonly forwardedProto: string | undefined
  /** Whether that header is believed, by Express's `trust proxy` or the option `trustProxy`. */
  readonly trusted: boolean
}

/** Whether the request is known to have come over TLS. */
export function isSecure(req: RequestLike, trustProxy: boolean): boolean {
  if (isTls(req) || req.secure === true) return true
  return trustProxy && forwardedProto(req) === 'https'
}

/** The same with its reasons, for warnings and `explain`. */
export function inspectHop(req: RequestLike, trustProxy: boolean): Hop {
  const socket = isTls(req)
  const forwarded = forwardedProto(req)
  const decided = isSecure(req, trustProxy)
  const trusted = trustProxy || (!socket && req.secure === true)
  return { decided, socket, forwardedProto: forwarded, trusted }
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
