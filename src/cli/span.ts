/** A span of time as commands take it: `--since 7d`, `--until 2026-01-31T00:00:00Z`. */
import { duration } from "../config/parse.ts"
import { parseTime } from "../domain/rfc3339.ts"
import { Misuse } from "./command.ts"

export interface Span {
  readonly since: number
  readonly until: number
}

/** Both in milliseconds since the Unix epoch; a duration counts back from `now`. Throws Misuse. */
export function readSpan(given: { readonly since: string; readonly until: string | undefined }, now: number): Span {
  const since = moment("--since", given.since, now)
  const until = given.until === undefined ? now : moment("--until", given.until, now)
  if (since >= until) throw new Misuse("--since: expected a time before --until")
  return { since, until }
}

function moment(flag: string, text: string, now: number): number {
  const ago = duration(text)
  if ("value" in ago) return now - ago.value
  const at = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
  if (at === null) throw new Misuse(`${flag}: expected a duration such as 7d, or a time such as 2026-01-31T08:00:00Z`)
  return at
}
