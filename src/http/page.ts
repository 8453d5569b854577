/** Lists: `{"data": [...], "page_info": {"after", "has_more"}}`, walked with `after` and `limit` (contract §1). */
import type { JsonObject } from "../domain/json.ts"
import { invalid, type Problem } from "./problem.ts"

const DEFAULT_LIMIT = 50
const MAX_LIMIT = 200

export interface PageRequest<Id> {
  /** Go on after this one; null: from the beginning. */
  readonly after: Id | null
  /** 1 to 200. */
  readonly limit: number
}

/** Reads `after` (also `cursor`) and `limit`. `asId` says what an `after` must look like. */
export function readPage<Id>(query: URLSearchParams, asId: (text: string) => Id | null): PageRequest<Id> | Problem {
  const limitText = query.get("limit")
  const limit = limitText === null ? DEFAULT_LIMIT : Number(limitText)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    return invalid([{ pointer: "?limit", detail: `expected a number from 1 to ${MAX_LIMIT}` }])
  const afterText = query.get("after") ?? query.get("cursor")
  const after = afterText === null ? null : asId(afterText)
  if (after === null && afterText !== null)
    return invalid([{ pointer: "?after", detail: "expected the `after` of an earlier page" }])
  return { after, limit }
}

/** The body of a list. `after` is null where nothing follows. */
export const pageBody = (data: readonly JsonObject[], after: string | null, hasMore: boolean): JsonObject => ({
  data: [...data],
  page_info: { after, has_more: hasMore },
})
