import { sessionFileStore } from './file-store.js'
import { memoryStores } from './memory-stores.js'
import { oldStoreProgram } from './program.js'

for (const kind of [sessionFileStore, ...memoryStores]) oldStoreProgram(kind)
