/** What the option `keys` of a token store refuses: what it is called, what it is, what is said. */
export const wrongKeys: readonly (readonly [string, unknown, RegExp])[] = [
  ['none', undefined, /the option keys is missing/],
  ['an empty list', [], /the option keys is missing/],
  ['a short one', 'short', /keys has 5 bytes; it takes 32 or more/],
  ['31 bytes', 'x'.repeat(31), /keys has 31 bytes/],
  ['a short one behind a long one', ['x'.repeat(32), 'short'], /keys\[1\] has 5 bytes/],
  ['a hole', Array(1), /keys\[0\] takes a string/],
  ['bytes', Buffer.alloc(32), /keys takes a string/],
  ['null', null, /keys takes a string/],
  ['a number', 1, /keys takes a string/],
]
