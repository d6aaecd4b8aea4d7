import depd from 'depd'

/** Tells of old ways under the name that programs silence: `NO_DEPRECATION=express-session`. */
export const deprecate: (message: string) => void = depd('express-session')
