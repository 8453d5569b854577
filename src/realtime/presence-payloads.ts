/** Who is present in the words of Phoenix's `Presence` class: by key, each with its metas. */
import type { JsonObject } from "../domain/json.ts"
import type { Change } from "./presence-roster.ts"
import type { Present } from "./presence-wire.ts"

/** `presence_state`. */
export function stateOf(people: readonly Present[]): JsonObject {
  const keys = Map.groupBy(people, ({ key }) => key)
  // Not by assignment: of `__proto__` that would make something else.
  return Object.fromEntries([...keys].map(([key, metas]) => [key, { metas: metas.map(metaOf) }]))
}

/** `presence_diff`: an update is a leave and a join. */
export const diffOf = (changes: readonly Change[]): JsonObject => ({
  leaves: stateOf(changes.flatMap(({ before }) => before ?? [])),
  joins: stateOf(changes.flatMap(({ after }) => after ?? [])),
})

const metaOf = ({ ref, prev, meta }: Present): JsonObject => ({
  ...meta,
  phx_ref: ref,
  ...(prev === null ? {} : { phx_ref_prev: prev }),
})
