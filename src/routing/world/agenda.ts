/** What is to happen, by when: the earliest first, of one moment what was put in first. A binary heap. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = []
  #count = 0

  /** The earliest moment; null: nothing is to happen. */
  get next(): number | null {
    return this.#heap[0]?.at ?? null
  }

  add(at: number, what: T): void {
    const heap = this.#heap
    this.#count += 1
    const entry = { at, order: this.#count, what }
    let place = heap.push(entry) - 1
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || !isEarlier(entry, parent)) break
      heap[place] = parent
      place = above
    }
    heap[place] = entry
  }

  /** Takes the earliest out. */
  take(): T | null {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined) return null
    if (heap.length > 0) this.#sink(last)
    return first.what
  }

  /** Puts an entry where the first was, and down to its place. */
  #sink(entry: Entry<T>): void {
    const heap = this.#heap
    let place = 0
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2]
      const [one, other] = [heap[left], heap[right]]
      if (one === undefined) break
      const [below, child] = other !== undefined && isEarlier(other, one) ? [right, other] : [left, one]
      if (!isEarlier(child, entry)) break
      heap[place] = child
      place = below
    }
    heap[place] = entry
  }
}

interface Entry<T> {
  readonly at: number
  readonly order: number
  readonly what: T
}

const isEarlier = <T>(a: Entry<T>, b: Entry<T>): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
