import { IncomingMessage, ServerResponse } from 'node:http'

/** Measured: V8 12.4 (Node 22) still needs this, 13.6 (Node 24) does not, and would pay for it. */
const IS_NEEDED = Number.parseInt(process.versions.v8, 10) < 13

/**
 * Makes it cheap to add properties to a request and a response of Express.
 *
 * Express gives each of them another prototype (`Object.setPrototypeOf`). From then on older V8 makes
 * a new hidden class, a copy of some forty descriptors, for every single property that anybody adds: 2 to 3
 * microseconds each, where the whole of a session's request costs ten. An object that has lost a
 * property is kept as a dictionary instead, and additions cost next to nothing, Express's own too.
 *
 * Each loses a property that Node documents, and gets it back with the same value.
 */
export function keepRequestCheap(req: object): void {
  if (Object.getPrototypeOf(req) !== IncomingMessage.prototype) keepAsDictionary(req, 'aborted')
}

export function keepResponseCheap(res: object): void {
  if (Object.getPrototypeOf(res) !== ServerResponse.prototype) keepAsDictionary(res, 'sendDate')
}

function keepAsDictionary(object: object, property: string): void {
  if (!IS_NEEDED) return
  const found = Object.getOwnPropertyDescriptor(object, property)
  if (found?.configurable !== true) return
  Reflect.deleteProperty(object, property)
  Object.defineProperty(object, property, found)
}
