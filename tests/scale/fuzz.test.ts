import { fuzzEachTarget } from '../fuzz/each-target.js'

fuzzEachTarget(Number(process.env.FUZZ_SECONDS ?? 10))
