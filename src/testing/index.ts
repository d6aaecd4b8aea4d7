export type {
  Clause,
  Interruption,
  OptionalCapability,
  OptionalHook,
  Predecessor,
  StoreHarness,
  StoreUnderTest,
  TestRunner,
} from './conformance/harness.js'
export { runProgram, type StoreProgram } from './conformance/programs.js'
export { testStore } from './conformance.js'
export {
  CookieClient,
  type CookieClientOptions,
  type CookieRequest,
  type CookieResponse,
} from './cookie-client.js'
export { CookieJar, type JarCookie } from './cookie-jar.js'
export { FAKE_CLOCK_START, FakeClock } from './fake-clock.js'
export {
  type Concurrent,
  type Explored,
  explore,
  replay,
  type Scenario,
  search,
} from './schedule/explore.js'
export { ScheduleFailure } from './schedule/failure.js'
export { Turnstile } from './schedule/turnstile.js'
