import { onMongo5, onMongo6, onMongo7, onMongoose } from './mongo-kinds.js'
import { storeConformance } from './suites/conformance.js'

for (const kind of [onMongo7, onMongo6, onMongo5, onMongoose]) storeConformance(kind)
