/**
 * What people wish to get, and when: their own, by a token, and those of recipients whom a service or operator may see.
 * Nothing is pushed for a change: whatever is held back asks again before it is sent.
 */
import { asRecipientId, type RecipientId } from "../domain/ids.ts"
import type { FieldError } from "../domain/json-limits.ts"
import type { Preferences } from "../domain/preferences.ts"
import { actorOf, confinedTo } from "../domain/principal.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Database } from "../store/database.ts"
import { changePreferences, getPreferences } from "../store/preferences.ts"
import { getRecipient } from "../store/recipients.ts"
import { suppressionsOf } from "../store/suppressions.ts"
import { readJson } from "./body.ts"
import { merged, preferencesJson, readPreferences } from "./preferences-body.ts"
import { PREFERENCES_EXAMPLE, PREFERENCES_SCHEMAS } from "./preferences-schemas.ts"
import { invalid, notFound, type Problem, problem } from "./problem.ts"
import { visible } from "./recipients.ts"
import { type Access, type Answer, type Call, json, type Route, type RouteFile, ref } from "./route.ts"

/** Whose preferences. */
interface Owner {
  readonly recipient: RecipientId
  /** Null: nobody has said who that is. */
  readonly known: Recipient | null
}

/** A way to somebody's preferences. */
interface Door {
  readonly path: string
  readonly access: Access
  readonly whose: string
  owner(db: Database, call: Call): Promise<Owner | Problem>
}

const OWN: Door = {
  path: "/v1/prefs",
  access: "caller",
  whose: "one's own preferences",
  async owner(db, { principal: { recipient } }) {
    if (recipient === null) {
      return problem("forbidden", "a key has no preferences: call with a person's token, or /v1/recipients/{id}/prefs")
    }
    return { recipient, known: await getRecipient(db, recipient) }
  },
}

const OF_A_RECIPIENT: Door = {
  path: "/v1/recipients/:id/prefs",
  access: "service",
  whose: "a recipient's preferences",
  async owner(db, { params, principal }) {
    const id = asRecipientId(params["id"])
    const found = id === null ? null : await getRecipient(db, id)
    if (found === null || !visible(found, confinedTo(principal.tenancy))) return notFound("recipient")
    return { recipient: found.id, known: found }
  },
}

/** How a body becomes what is wished from then on. */
const CHANGES = [
  { method: "PUT", verb: "Replace", says: "What is left out is said no more.", keeps: false },
  {
    method: "POST",
    verb: "Change",
    says: "Merges what is named into what was said (RFC 7396): null takes back.",
    keeps: true,
  },
] as const

export function preferencesRoutes({ db }: { readonly db: Database }): RouteFile {
  /** An address that takes no messages is a no, whatever its owner has wished before. */
  const shown = async ({ known }: Owner, said: Preferences): Promise<Answer> => {
    const suppressed = known === null ? [] : await suppressionsOf(db, known)
    const refused = Object.fromEntries(suppressed.map(({ channel }) => [channel, false]))
    return json(200, preferencesJson({ ...said, channels: { ...said.channels, ...refused } }))
  }

  const change = async (door: Door, call: Call, keeps: boolean): Promise<Answer> => {
    const owner = await door.owner(db, call)
    if ("kind" in owner) return owner
    const body = await readJson(call.request)
    if ("kind" in body) return body
    let errors: readonly FieldError[] = []
    const { principal } = call
    const by = {
      actor: actorOf(principal),
      action: "preferences.change",
      businesses: confinedTo(principal.tenancy),
      detail: { by: "api" },
    } as const
    const changing = (before: Preferences): Preferences | null => {
      const said = keeps ? merged(preferencesJson(before), body.value) : body.value
      const read = readPreferences(said, owner.known?.timezone ?? null)
      if ("preferences" in read) return read.preferences
      errors = read.errors
      return null
    }
    const [now] = await changePreferences(db, [owner.recipient], changing, () => by)
    return errors.length > 0 || now === undefined ? invalid(errors) : shown(owner, now)
  }

  const routesOf = (door: Door): readonly Route[] => {
    const common = { path: door.path, access: door.access }
    const answers = { 200: { description: "The preferences as they now are", schema: ref("Preferences") } }
    return [
      {
        ...common,
        method: "GET",
        doc: { summary: `Read ${door.whose}`, tag: "Preferences", answers },
        async handle(call) {
          const owner = await door.owner(db, call)
          return "kind" in owner ? owner : shown(owner, await getPreferences(db, owner.recipient))
        },
      },
      ...CHANGES.map(
        ({ method, verb, says, keeps }): Route => ({
          ...common,
          method,
          doc: {
            summary: `${verb} ${door.whose}`,
            description: says,
            tag: "Preferences",
            body: { "application/json": { schema: ref("PreferencesInput"), example: PREFERENCES_EXAMPLE } },
            answers,
          },
          handle: (call) => change(door, call, keeps),
        }),
      ),
    ]
  }

  return { schemas: PREFERENCES_SCHEMAS, routes: [OWN, OF_A_RECIPIENT].flatMap(routesOf) }
}
