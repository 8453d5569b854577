/** A point in time in a query: RFC 3339, and a `+` that a hasty client sent as a space. */
import type { FieldError } from "../domain/json-limits.ts"
import { parseTime } from "../domain/rfc3339.ts"

/** Milliseconds since the Unix epoch; undefined where it is missing, with an entry in `errors` where it is wrong. */
export function readTime(parameters: URLSearchParams, name: string, errors: FieldError[]): number | undefined {
  const text = parameters.get(name)
  if (text === null) return undefined
  const millis = parseTime(text.replace(/ (\d\d:?\d\d)$/, "+$1")) ?? parseTime(text)
  if (millis !== null) return millis
  errors.push({ pointer: `?${name}`, detail: "expected an RFC 3339 time such as 2025-01-08T10:00:00Z" })
  return undefined
}
