/**
 * The hub's answers, read with care: every field is looked at before it is used, so that an older or newer hub leaves a
 * gap on the page and never breaks it.
 */

export type Fields = Readonly<Record<string, unknown>>

export const fields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null

export const text = (value: unknown): string => (typeof value === "string" ? value : "")
export const textOrNull = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
export const each = <T>(value: unknown, read: (item: unknown) => T | null): readonly T[] =>
  list(value)
    .map(read)
    .filter((item) => item !== null)

/** `default · l1` */
export const placeOf = (of: Fields): string =>
  [of["business_id"], of["location_id"]].filter((part) => typeof part === "string").join(" · ")
