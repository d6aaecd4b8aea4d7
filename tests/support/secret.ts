/** The secret of these tests. It must show nowhere. */
export const SECRET = 'a secret of these tests, of 32 bytes and more'
