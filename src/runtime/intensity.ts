// The restart budget of one supervisor: so many restarts within a sliding window. As supervisor.erl's add_restart, but in
// milliseconds: the edge of the window is inclusive, time is monotonic, and a failing start counts like a crash.

export class Intensity {
  readonly limit: number
  readonly periodMs: number
  /** At most `limit + 1` entries are ever kept, so a million crashes leak nothing. */
  private times: number[] = []

  constructor(limit: number, periodMs: number) {
    this.limit = limit
    this.periodMs = periodMs
  }

  /** Counts one restart at `now` (monotonic ms); false when it is one too many and the supervisor must give up. */
  allow(now: number): boolean {
    this.times = this.times.filter((at) => at >= now - this.periodMs)
    this.times.push(now)
    return this.times.length <= this.limit
  }
}
