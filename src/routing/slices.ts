/** Work for very many people, in slices: whoever has it done lets others have a turn between two of them, or does not. */

export type Sliced<T> = Generator<void, T, void>

/** People in one slice: each may be a message to write, and all together are some milliseconds. */
const SLICE = 200
/** Where each is only looked up or put somewhere: a turn for others costs more than a slice of 200 of these. */
export const LIGHT = 2_000

/** So many that one thing with all of them, such as to sort them, wants a turn for others before it. */
export const isMany = (count: number): boolean => count > LIGHT

/** Does `work` to each, in slices. */
export function* eachInSlices<T>(items: Iterable<T>, work: (item: T) => void, slice = SLICE): Sliced<void> {
  let done = 0
  for (const item of items) {
    if (done > 0 && done % slice === 0) yield
    work(item)
    done += 1
  }
}

/** Does `work` to each and gathers what it makes. */
export function* madeInSlices<T, R>(items: Iterable<T>, work: (item: T) => readonly R[], slice = SLICE): Sliced<R[]> {
  const made: R[] = []
  yield* eachInSlices(
    items,
    (item) => {
      for (const one of work(item)) made.push(one)
    },
    slice,
  )
  return made
}

export function atOnce<T>(sliced: Sliced<T>): T {
  for (;;) {
    const slice = sliced.next()
    if (slice.done === true) return slice.value
  }
}

/** Nobody waits for what is one slice. */
export function inSlices<T>(sliced: Sliced<T>, breathe: () => Promise<void>): T | Promise<T> {
  const first = sliced.next()
  return first.done === true ? first.value : breathe().then(() => withBreaths(sliced, breathe))
}

export async function withBreaths<T>(sliced: Sliced<T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const slice = sliced.next()
    if (slice.done === true) return slice.value
    await breathe()
  }
}
