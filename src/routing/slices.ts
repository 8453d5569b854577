/** Work for very many people, in slices: whoever has it done lets others have a turn between two of them, or does not. */

export type Sliced<T> = Generator<void, T, void>

/** People in one slice: each may be a message to write, and all together are some milliseconds. */
const SLICE = 200

/** Does `work` to each, in slices. */
export function* eachInSlices<T>(items: Iterable<T>, work: (item: T) => void): Sliced<void> {
  let done = 0
  for (const item of items) {
    if (done > 0 && done % SLICE === 0) yield
    work(item)
    done += 1
  }
}

export function atOnce<T>(sliced: Sliced<T>): T {
  for (;;) {
    const slice = sliced.next()
    if (slice.done === true) return slice.value
  }
}

export async function withBreaths<T>(sliced: Sliced<T>, breathe: () => Promise<void>): Promise<T> {
  for (;;) {
    const slice = sliced.next()
    if (slice.done === true) return slice.value
    await breathe()
  }
}
