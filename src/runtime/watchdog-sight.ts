// The watchdog's judgement without its thread: from looks at a counter and a clock, for how long the counter has stood
// still while the clock ran. Both may stop together, as in a process under SIGSTOP: that is nobody's fault.

/** What one look saw. The first one has `silentMs` 0. */
export interface Sight {
  /** When, in milliseconds of any monotonic clock. */
  readonly atMs: number
  /** How often the loop had beaten by then. */
  readonly beats: number
  /** For how long the watchdog has been watching no beat, in milliseconds: a lower bound of the truth. */
  readonly silentMs: number
}

/** Looks per limit: the block is seen at most two periods, a tenth of the limit, late. */
const LOOKS = 20
/** A look that comes this many periods after the one before says that the whole process stood still in between. */
const GAP_PERIODS = 4

/** How long to wait between two looks, in milliseconds: 250 for 5 s. */
export const periodOf = (limitMs: number): number => limitMs / LOOKS

/** The next look. A beat, or a gap in the watchdog's own clock, begins the count anew. */
export function look(last: Sight, atMs: number, beats: number, limitMs: number): Sight {
  const passed = atMs - last.atMs
  const gap = passed > GAP_PERIODS * periodOf(limitMs)
  return { atMs, beats, silentMs: beats !== last.beats || gap ? 0 : last.silentMs + passed }
}

/** Whether the loop is blocked for good, as far as anybody can tell from outside. */
export const isBlocked = (sight: Sight, limitMs: number): boolean => sight.silentMs >= limitMs
