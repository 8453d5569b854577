/**
 * One per channel. A credential that does not work is the account's fault: instead of trying it on every recipient the
 * channel stops claiming, waits, and then tries it on one. Pure: the time is an argument.
 */

export type Breaker =
  | { readonly state: "closed" }
  /** `until`: monotonic milliseconds. `openings` counts those in a row. */
  | { readonly state: "open"; readonly until: number; readonly openings: number }
  /** One delivery may go, and decides. */
  | { readonly state: "probing"; readonly openings: number }

export const CLOSED: Breaker = { state: "closed" }

const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 300_000

/** The breaker at a moment: an open one whose time has come lets one through. */
export const look = (breaker: Breaker, now: number): Breaker =>
  breaker.state === "open" && now >= breaker.until ? { state: "probing", openings: breaker.openings } : breaker

/** After an attempt. What was already under way when it opened says nothing new. */
export function learn(breaker: Breaker, unusable: boolean, now: number): Breaker {
  switch (breaker.state) {
    case "open":
      return breaker
    case "closed":
      return unusable ? opened(1, now) : breaker
    case "probing":
      return unusable ? opened(breaker.openings + 1, now) : CLOSED
  }
}

const opened = (openings: number, now: number): Breaker => ({
  state: "open",
  openings,
  until: now + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (openings - 1)),
})
