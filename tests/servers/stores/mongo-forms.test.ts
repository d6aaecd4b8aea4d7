import { withKruptein, withObjects, withWebCrypto } from './mongo-kinds.js'
import { storeConformance } from './suites/conformance.js'

for (const kind of [withObjects, withKruptein, withWebCrypto]) storeConformance(kind)
