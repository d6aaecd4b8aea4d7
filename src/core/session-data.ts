/**
 * What your sessions hold. Augment it, and `req.session` is typed everywhere:
 *
 * ```ts
 * declare module 'coatcheck' {
 *   interface SessionData { userId: string; cart: { items: string[] } }
 * }
 * ```
 *
 * Every field is optional on a session, since a session can be new. Values are JSON: a Date comes
 * back as a string. Those who do not augment write `session<Data>()` and read `sessions.of(req)`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is there to be augmented
export interface SessionData {}
