/** Messages handled per second, from the counts of two pictures that are far enough apart to say something. */
import { everybody, type Picture } from "./picture.ts"

const SPAN_MS = 2_000
/** Two pictures closer than this say nothing about a second. */
const LEAST_MS = 900
/** A picture comes at least this often while anything is handled: after that nothing was. */
const SILENT_MS = 2_500

interface Count {
  readonly at: number
  readonly handled: number
}

export class Rates {
  /** By actor, oldest first: at most as many as there are pictures in the span, and one from before it. */
  #counts = new Map<string, readonly Count[]>()
  #last = 0

  took(picture: Picture): void {
    const { at } = picture
    const next = new Map<string, readonly Count[]>()
    for (const { id, handled } of everybody(picture.tree).values()) {
      if (handled === null) continue
      const before = this.#counts.get(id) ?? []
      // A new life counts from nothing, and so does a page that looks at another node.
      const same = before.every((count) => count.handled <= handled && count.at <= at)
      const since = before.findLastIndex((count) => count.at <= at - SPAN_MS)
      next.set(id, [...(same ? before.slice(Math.max(0, since)) : []), { at, handled }])
    }
    this.#counts = next
    this.#last = at
  }

  /** Per second at `now`, by the hub's clock; 0 while too little is known. */
  of(id: string, now: number): number {
    const counts = this.#counts.get(id) ?? []
    const [first, last] = [counts[0], counts.at(-1)]
    if (first === undefined || last === undefined || last.at - first.at < LEAST_MS || now - this.#last >= SILENT_MS)
      return 0
    return ((last.handled - first.handled) * 1_000) / (last.at - first.at)
  }
}
