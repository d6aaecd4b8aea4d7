import { fuzzEachTarget } from './each-target.js'

// Short, since every change runs it; `npm run test:scale` takes ten seconds, `npm run test:fuzz` ten
// million cases.
fuzzEachTarget(Number(process.env.FUZZ_SECONDS ?? 0.4))
