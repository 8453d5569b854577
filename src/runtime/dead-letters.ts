// Messages that reached nobody: counted, the last few kept as samples without content, and reported at a bounded rate,
// because a flood must not become a flood of reports. Every one of them is in exactly one report, the sum is the count.

import type { Clock, Timer } from "./clock.ts"
import type { RuntimeEvent } from "./event.ts"
import type { Figures } from "./figures.ts"

/**
 * `exit`: still in the mailbox at the end. `overflow`: too many for it. `down`: nobody by this name was running.
 * `fenced`: the sender's own incarnation was over.
 */
export type DeadLetterWhy = "exit" | "overflow" | "down" | "fenced"

export interface DeadLetter {
  readonly at: Date
  /** Whom it was sent to, by id. */
  readonly to: string
  readonly kind: string | undefined
  readonly why: DeadLetterWhy
  /** The message's own `kind` or `type` word, where it has one; never content. */
  readonly message: string | undefined
}

/** Whom it was sent to. */
export interface Addressee {
  readonly id: string
  readonly kind: string | undefined
  readonly incarnation: number
}

const KEPT = 20
const REPORT_EVERY_MS = 1_000
/** Names with a report of their own at a time; what comes on top is reported together. */
const MOST_NAMES = 1_000
const OTHERS: Addressee = { id: "others", kind: undefined, incarnation: 0 }

interface Report {
  to: Addressee
  readonly why: DeadLetterWhy
  /** Not reported yet. */
  count: number
  reportedAt: number
}

export class DeadLetters {
  count = 0
  private readonly clock: Clock
  private readonly figures: Figures
  private readonly emit: (event: RuntimeEvent) => void
  private readonly samples: DeadLetter[] = []
  private next = 0
  private readonly reports = new Map<string, Report>()
  private timer: Timer | undefined
  private closed = false

  constructor(clock: Clock, figures: Figures, emit: (event: RuntimeEvent) => void) {
    this.clock = clock
    this.figures = figures
    this.emit = emit
  }

  add(to: Addressee, why: DeadLetterWhy, message: unknown): void {
    this.sample(to, why, message)
    this.book(to, why, 1)
  }

  addAll(to: Addressee, why: DeadLetterWhy, messages: readonly unknown[]): void {
    if (messages.length === 0) return
    for (const message of messages.slice(-KEPT)) this.sample(to, why, message)
    this.book(to, why, messages.length)
  }

  /** The last samples, newest last. */
  recent(): readonly DeadLetter[] {
    return [...this.samples.slice(this.next), ...this.samples.slice(0, this.next)]
  }

  /** Reports what is left. From now on only counts and samples. */
  close(): void {
    this.timer?.cancel()
    for (const report of this.reports.values()) if (report.count > 0) this.tell(report, 0)
    this.reports.clear()
    this.closed = true
  }

  private sample({ id, kind }: Addressee, why: DeadLetterWhy, message: unknown): void {
    this.samples[this.next] = { at: this.clock.wall(), to: id, kind, why, message: wordOf(message) }
    this.next = (this.next + 1) % KEPT
  }

  private book(to: Addressee, why: DeadLetterWhy, count: number): void {
    this.count += count
    if (to.kind !== undefined) this.figures.of(to.kind).deadLetters += count
    if (this.closed) return
    const isNew = !this.reports.has(keyOf(to, why))
    const subject = isNew && this.reports.size >= MOST_NAMES ? OTHERS : to
    const known = this.reports.get(keyOf(subject, why))
    if (known !== undefined) {
      known.to = subject
      known.count += count
      return
    }
    const report = { to: subject, why, count, reportedAt: 0 }
    this.reports.set(keyOf(subject, why), report)
    this.tell(report, this.clock.now())
    this.timer ??= this.clock.after(REPORT_EVERY_MS, this.tick)
  }

  private readonly tick = (): void => {
    const now = this.clock.now()
    this.timer = undefined
    let wait = Number.POSITIVE_INFINITY
    for (const [key, report] of this.reports) {
      const due = report.reportedAt + REPORT_EVERY_MS
      if (due > now) wait = Math.min(wait, due - now)
      else if (report.count === 0) this.reports.delete(key)
      else {
        this.tell(report, now)
        wait = Math.min(wait, REPORT_EVERY_MS)
      }
    }
    if (this.reports.size > 0) this.timer ??= this.clock.after(wait, this.tick)
  }

  private tell(report: Report, now: number): void {
    const { to, why, count } = report
    report.count = 0
    report.reportedAt = now
    this.emit({ type: "dead_letters", why, count, id: to.id, kind: to.kind ?? "unknown", incarnation: to.incarnation })
  }
}

function keyOf({ id }: Addressee, why: DeadLetterWhy): string {
  return `${why} ${id}`
}

const WORD = /^[a-z][a-z0-9_.]{0,39}$/i

function wordOf(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) return undefined
  try {
    const word: unknown = "kind" in message ? message.kind : "type" in message ? message.type : undefined
    return typeof word === "string" && WORD.test(word) ? word : undefined
  } catch {
    // A getter or a proxy of the message's own; a sample is not worth more.
    return undefined
  }
}
