/**
 * What follows from one event may be for every person of a business. It is stored in pieces, one statement after the other in
 * the one transaction: each has time enough, and only one piece at a time is held as text.
 */

const MOST_ROWS = 2_000
const MOST_BYTES = 4 * 1024 * 1024

/** More than one piece: between two passes over it others want a turn. Nothing of what is short waits for anybody. */
export const isLong = (items: readonly unknown[]): boolean => items.length > MOST_ROWS
export const breath = (): Promise<void> => new Promise((done) => setImmediate(done))

/**
 * Does `work` to each. Null: it is done, in the same turn, because they are few. Else there is a turn of the loop for others
 * before each piece, and whoever asked has to wait.
 */
export function eachInTurns<T>(items: readonly T[], work: (item: T) => void): Promise<void> | null {
  if (isLong(items)) return manyInTurns(items, work)
  for (const item of items) work(item)
  return null
}

async function manyInTurns<T>(items: readonly T[], work: (item: T) => void): Promise<void> {
  for (const piece of inPieces(items)) {
    await breath()
    for (const item of piece) work(item)
  }
}

/** The items in order, in pieces of at most 2,000 and, where more than one is in it, 4 MiB. They are taken as they are needed. */
export function* inPieces<T>(
  items: Iterable<T>,
  bytesOf: (item: T) => number = () => 0,
): Generator<readonly T[], void> {
  let piece: T[] = []
  let bytes = 0
  for (const item of items) {
    const own = bytesOf(item)
    if (piece.length > 0 && (piece.length === MOST_ROWS || bytes + own > MOST_BYTES)) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(item)
    bytes += own
  }
  if (piece.length > 0) yield piece
}
