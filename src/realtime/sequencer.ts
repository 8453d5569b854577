/**
 * News of a stream may come late, twice or not at all; what leaves here is in position order, each once, without a
 * gap. It remembers the last messages, so that most clients that come back need no database.
 */

export interface StreamItem {
  readonly position: number
  readonly event: string
  /** Encoded JSON object with its `_offset`. */
  readonly payload: string
}

/** Messages that came too early wait for those before them, at most so many: the rest is read from the history. */
const MOST_HELD = 1_000
const MOST_REMEMBERED = 300
const MOST_REMEMBERED_CHARS = 128 * 1024

export class Sequencer {
  /** The position up to which everything has gone out. */
  #last: number
  /** `#recent` is complete after this position. */
  #recentAfter: number
  #recent: StreamItem[] = []
  #recentChars = 0
  readonly #held = new Map<number, StreamItem>()
  #known: number
  /** Where the stream was when it was last asked to age. */
  #aged = 0

  constructor(last: number) {
    this.#last = last
    this.#recentAfter = last
    this.#known = last
  }

  get last(): number {
    return this.#last
  }

  /** The highest position that is known to exist. */
  get known(): number {
    return this.#known
  }

  /** True while something is known to exist that has not gone out. */
  get behind(): boolean {
    return this.#known > this.#last
  }

  /** What can go out now that this one is here: nothing (too early, or a repeat), it, or it and what waited for it. */
  take(item: StreamItem): readonly StreamItem[] {
    if (item.position <= this.#last) return []
    this.#known = Math.max(this.#known, item.position)
    if (item.position !== this.#last + 1) {
      if (this.#held.size < MOST_HELD) this.#held.set(item.position, item)
      return []
    }
    const out = [item]
    this.#pass(item)
    this.#release(out)
    return out
  }

  /** Someone who asked the database says how far the stream goes. */
  reaches(position: number): void {
    this.#known = Math.max(this.#known, position)
  }

  /** What can go out now that the history after `last` was read; repeats of what has gone out meanwhile are dropped. */
  fill(history: readonly StreamItem[]): readonly StreamItem[] {
    return history.flatMap((item) => this.take(item))
  }

  /** Everything after `offset`, where it is still remembered; else null. */
  since(offset: number): readonly StreamItem[] | null {
    if (offset < this.#recentAfter || offset > this.#last) return null
    return this.#recent.filter(({ position }) => position > offset)
  }

  /** Forgets what was there already when this was last called: whoever comes back so late asks the database. */
  age(): void {
    const since = this.#recent.findIndex(({ position }) => position > this.#aged)
    for (const { payload } of this.#recent.splice(0, since < 0 ? this.#recent.length : since)) {
      this.#recentChars -= payload.length
    }
    this.#recentAfter = Math.max(this.#recentAfter, this.#aged)
    this.#aged = this.#last
  }

  /** History that was read for one client serves the next ones too. It ends where the remembered begins, or later. */
  remember(history: readonly StreamItem[]): void {
    const first = history[0]
    const end = history.at(-1)
    if (first === undefined || end === undefined || first.position > this.#recentAfter) return
    if (end.position < this.#recentAfter) return
    const older = history.filter(({ position }) => position <= this.#recentAfter)
    this.#recentAfter = first.position - 1
    this.#recent = [...older, ...this.#recent]
    this.#recentChars = this.#recent.reduce((sum, { payload }) => sum + payload.length, 0)
    this.#forget()
  }

  /** What went out is not what it was: from now on it is asked of the history. */
  forget(): void {
    this.#recent = []
    this.#recentChars = 0
    this.#recentAfter = this.#last
  }

  #pass(item: StreamItem): void {
    this.#last = item.position
    this.#recent.push(item)
    this.#recentChars += item.payload.length
    this.#forget()
  }

  #release(out: StreamItem[]): void {
    if (this.#held.size === 0) return
    for (let next = this.#held.get(this.#last + 1); next !== undefined; next = this.#held.get(this.#last + 1)) {
      this.#held.delete(next.position)
      out.push(next)
      this.#pass(next)
    }
    for (const position of this.#held.keys()) if (position <= this.#last) this.#held.delete(position)
  }

  #forget(): void {
    while (this.#recent.length > MOST_REMEMBERED || this.#recentChars > MOST_REMEMBERED_CHARS) {
      const gone = this.#recent.shift()
      if (gone === undefined) return
      this.#recentAfter = gone.position
      this.#recentChars -= gone.payload.length
    }
  }
}
