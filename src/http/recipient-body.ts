/** Reads a recipient from a request: closed, every mistake at once, each with its pointer. */
import { asBusinessId, asLocationId, type BusinessId, type LocationId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { type FieldError, pointerTo } from "../domain/json-limits.ts"
import { defaultBusiness, grantFor, type Principal } from "../domain/principal.ts"
import type { DeviceToken, Membership, Recipient } from "../domain/recipient.ts"

export type RecipientRead = { readonly recipient: Recipient } | { readonly errors: readonly FieldError[] }

const FIELDS = new Set([
  "memberships",
  "business_id",
  "location_ids",
  "roles",
  "name",
  "email",
  "phone",
  "telegram_chat_id",
  "slack_webhook_url",
  "slack_user_id",
  "device_tokens",
  "locale",
  "timezone",
])

const ROLE = /^[A-Za-z0-9_.:-]{1,64}$/
const EMAIL = /^[^\s@<>,;"]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,63}$|^[^\s@<>,;"]{1,64}@localhost$/
const PHONE = /^\+[1-9]\d{6,14}$/
const LIMIT = { memberships: 200, locations: 1_000, roles: 100, devices: 50 } as const

/** `pointer` is put in front of every mistake's pointer. */
export function readRecipient(value: Json, id: RecipientId, principal: Principal, pointer: string): RecipientRead {
  if (!isJsonObject(value)) return { errors: [{ pointer, detail: "expected an object" }] }
  const errors: FieldError[] = []
  // A field may be a path; the keys of the body that get here hold no slash, except unknown ones, which are only shown.
  const wrong = (field: string, detail: string): null => {
    errors.push({ pointer: field.split("/").reduce(pointerTo, pointer), detail })
    return null
  }
  for (const key of Object.keys(value))
    if (!FIELDS.has(key)) wrong(key, `unknown field; expected one of ${[...FIELDS].join(", ")}`)
  const text = (field: string, fits: (text: string) => boolean, expected: string): string | null => {
    const given = value[field]
    if (given === undefined || given === null || given === "") return null
    const word = typeof given === "number" ? String(given) : given
    return typeof word === "string" && fits(word) ? word : wrong(field, `expected ${expected}`)
  }
  const short = (word: string): boolean => word.length <= 200 && !/[\r\n]/.test(word)
  const recipient: Recipient = {
    id,
    name: text("name", short, "one line of at most 200 characters"),
    email: text("email", (word) => EMAIL.test(word), "an e-mail address"),
    phone: text("phone", (word) => PHONE.test(word), "a number in E.164, such as +9647701234567"),
    telegramChatId: text("telegram_chat_id", (word) => /^(-?\d{1,20}|@\w{5,32})$/.test(word), "a chat id or @channel"),
    slackWebhookUrl: text("slack_webhook_url", isHttpUrl, "an https URL"),
    slackUserId: text(
      "slack_user_id",
      (word) => /^[UWB][A-Z0-9]{1,31}$/.test(word),
      "a Slack member id such as U012AB3CD",
    ),
    deviceTokens: deviceTokens(value["device_tokens"], wrong),
    locale: text("locale", isLocale, "a language tag such as ar or en-GB"),
    timezone: text("timezone", isTimeZone, "an IANA time zone such as Asia/Baghdad"),
    memberships: memberships(value, principal, wrong),
  }
  return errors.length > 0 ? { errors } : { recipient }
}

type Wrong = (field: string, detail: string) => null

const isHttpUrl = (word: string): boolean =>
  word.length <= 2_000 && URL.canParse(word) && /^https?:$/.test(new URL(word).protocol)

function isLocale(word: string): boolean {
  try {
    return new Intl.Locale(word).language.length > 0
  } catch {
    // Not a tag: that is the answer.
    return false
  }
}

function isTimeZone(word: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: word }).resolvedOptions().timeZone.length > 0
  } catch {
    // Not a zone: that is the answer.
    return false
  }
}

function deviceTokens(value: Json | undefined, wrong: Wrong): readonly DeviceToken[] {
  if (value === undefined || value === null) return []
  const expected = `expected a list of at most ${LIMIT.devices} {platform, token}`
  if (!Array.isArray(value) || value.length > LIMIT.devices) return wrong("device_tokens", expected) ?? []
  return value.flatMap((item): readonly DeviceToken[] => {
    const { platform, token } = isJsonObject(item) ? item : ({} as JsonObject) // an empty object fails the check below
    if (
      typeof platform === "string" &&
      /^[a-z]{2,20}$/.test(platform) &&
      typeof token === "string" &&
      token.length <= 4_096
    ) {
      return [{ platform, token }]
    }
    return wrong("device_tokens", expected) ?? []
  })
}

/** `memberships`, or the short form: `business_id`, `location_ids`, `roles` at the top. */
function memberships(value: JsonObject, principal: Principal, wrong: Wrong): readonly Membership[] {
  const list = value["memberships"]
  const short = ["business_id", "location_ids", "roles"].filter((field) => value[field] !== undefined)
  if (list === undefined || list === null) {
    const made = membership(value, principal, wrong)
    return made === null ? [] : [made]
  }
  if (short[0] !== undefined) wrong(short[0], "say it in memberships, or leave memberships out")
  if (!Array.isArray(list) || list.length > LIMIT.memberships) {
    return wrong("memberships", `expected a list of at most ${LIMIT.memberships} memberships`) ?? []
  }
  const seen = new Set<BusinessId>()
  return list.flatMap((item, index): readonly Membership[] => {
    const at: Wrong = (field, detail) => wrong(`memberships/${index}/${field}`, detail)
    if (!isJsonObject(item)) return wrong(`memberships/${index}`, "expected {business_id, location_ids, roles}") ?? []
    for (const key of Object.keys(item)) {
      if (!["business_id", "location_ids", "roles"].includes(key))
        at(key, "unknown field; expected business_id, location_ids, roles")
    }
    const made = membership(item, principal, at)
    if (made === null) return []
    if (seen.has(made.business)) return at("business_id", "each business once") ?? []
    seen.add(made.business)
    return [made]
  })
}

function membership(value: JsonObject, principal: Principal, wrong: Wrong): Membership | null {
  const given = value["business_id"]
  const business = given === undefined || given === null ? defaultBusiness(principal.tenancy) : asBusinessId(given)
  if (business === null) return wrong("business_id", "expected [A-Za-z0-9_.-]{1,64}")
  const grant = grantFor(principal.tenancy, business)
  if (grant === null) return wrong("business_id", "no business of this id that you can see")
  const roles = words(value["roles"], LIMIT.roles, (word) =>
    typeof word === "string" && ROLE.test(word) ? word : null,
  )
  if (roles === null) return wrong("roles", "expected a list of words of [A-Za-z0-9_.:-]{1,64}")
  const locations = words<LocationId>(value["location_ids"], LIMIT.locations, asLocationId)
  if (locations === null) return wrong("location_ids", "expected a list of [A-Za-z0-9_.-]{1,64}")
  const everywhere = value["location_ids"] === undefined || value["location_ids"] === null
  const allowed = grant.locations
  if (allowed !== null && (everywhere || locations.some((location) => !allowed.includes(location)))) {
    return wrong("location_ids", "only locations that you can see")
  }
  return { business, locations: everywhere ? null : locations, roles }
}

/** A list without repeats, empty where there is none; null where it is not as expected. */
function words<T extends string>(
  value: Json | undefined,
  most: number,
  read: (item: Json) => T | null,
): readonly T[] | null {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > most) return null
  const made = value.map(read)
  return made.every((word): word is T => word !== null) ? [...new Set(made)] : null
}
