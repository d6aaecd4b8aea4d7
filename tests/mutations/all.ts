import { concurrency } from './concurrency.js'
import type { Mutation } from './mutation.js'

/** Every list, in the order of the rules. */
export const mutations: readonly Mutation[] = [...concurrency]
