import { EVENT_NAMES as NAMES } from '../../src/core/events.js'
import type { EventName, Events, SessionManager } from '../../src/index.js'
import type { AnyData } from './serve.js'

/** The names of all events. */
export const EVENT_NAMES = Object.keys(NAMES) as EventName[]

/** An event with its name, as `['create', { id, at }]`. */
export type Told = { [Name in EventName]: readonly [name: Name, event: Events[Name]] }[EventName]

/** Collects every event of a manager from now on. */
export function allEvents(sessions: Pick<SessionManager<AnyData>, 'on'>): Told[] {
  const told: Told[] = []
  for (const name of EVENT_NAMES) {
    sessions.on(name, (event) => void told.push([name, event] as unknown as Told))
  }
  return told
}
