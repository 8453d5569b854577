/** Rate limits in HTTP's words (contract §4): 429 with `Retry-After`, and `RateLimit-*` on whatever was limited and passed. */
import { type Problem, problem, unavailable } from "../http/problem.ts"
import type { Standing } from "../store/rate-ledger.ts"
import type { Admission, Limited } from "./rate-limit.ts"
import { type LimitName, limitOf } from "./rate-limit-keys.ts"

/** Headers of an answer. */
export interface Passed {
  readonly kind: "passed"
  readonly headers: Readonly<Record<string, string>>
}

export const UNLIMITED: Passed = { kind: "passed", headers: {} }

/** What an admission makes of a request. */
export function passage(admission: Admission): Passed | Problem {
  switch (admission.kind) {
    case "admitted":
      return admission.standing === null ? UNLIMITED : { kind: "passed", headers: headersOf(admission.standing) }
    case "limited":
      return tooMany(admission)
    case "overloaded":
      return unavailable("too many requests are waiting for their limits; nothing of this request was taken", 1)
  }
}

/** 429: nothing was taken, so the same request may simply be repeated. */
export function tooMany({ by, retryMs, standing }: Limited): Problem {
  const detail = `${WHOSE[by]} may bring ${standing.perSecond} events a second; nothing of this request was taken`
  const retryAfter = String(Math.max(1, Math.ceil(retryMs / 1_000)))
  return problem("rate_limited", detail, { headers: { ...headersOf(standing), "retry-after": retryAfter } })
}

const WHOSE: Readonly<Record<LimitName, string>> = {
  caller: "one caller",
  business: "one business",
  type: "one event type of a business",
}

/** The fields of the IETF draft's sixth version, which is what clients know; the limit's name is a comment in its policy. */
const headersOf = ({ key, perSecond, remaining, resetMs }: Standing): Readonly<Record<string, string>> => ({
  "ratelimit-limit": String(perSecond),
  "ratelimit-remaining": String(remaining),
  "ratelimit-reset": String(Math.ceil(resetMs / 1_000)),
  "ratelimit-policy": `${perSecond};w=1;comment="${limitOf(key)}"`,
})
