/**
 * What programs may annotate as they like: the error of a callback, the request of their framework.
 * `unknown` would refuse code that was written for the old types.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Anything = any
