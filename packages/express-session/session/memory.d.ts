import { MemoryStore } from 'coatcheck/express-session'

export = MemoryStore
