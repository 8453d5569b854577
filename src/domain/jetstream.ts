/** What several rooms know of the stream that events come by. */

/** Longer than a weekend without us; short, because nobody can be erased from a stream. */
export const STREAM_AGE_MS = 7 * 86_400_000
