import type { OldRequest } from './handler.js'
import type { CookieAttributes, OptionShape } from './sequence.js'

/** The options that a shape describes; `store` comes to it. */
export function optionsOf(
  { genid, cookie, cookieFunction, ...plain }: OptionShape,
  ids: { made: number },
  start: number,
): Record<string, unknown> {
  const options: Record<string, unknown> = { ...plain }
  if (genid !== 'random') {
    const make = makers[genid ?? 'numbered']
    options.genid = (req: OldRequest) => make(req, ++ids.made)
  }
  if (cookie !== undefined) {
    options.cookie =
      cookieFunction === true ? () => attributes(cookie, start) : attributes(cookie, start)
  }
  return options
}

const makers = {
  numbered: (_req: OldRequest, number: number) => `id-${number}`,
  odd: (_req: OldRequest, number: number) => `a.b/c ü;"${number}`,
  'of the request': (req: OldRequest, number: number) => `${req.method}${req.url}-${number}`,
  nothing: () => undefined,
  throws: () => {
    throw new Error('genid threw')
  },
}

function attributes(
  { expiresIn, ...cookie }: CookieAttributes,
  start: number,
): Record<string, unknown> {
  if (expiresIn === undefined) return { ...cookie }
  return { ...cookie, expires: new Date(start + expiresIn) }
}
