import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { CHANNELS } from "../domain/channel.ts"
import { SEVERITY_RANK, type Severity } from "../domain/event.ts"
import { asBusinessId, asRecipientId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { NO_PREFERENCES } from "../domain/preferences.ts"
import { audienceOf } from "../store/audience.ts"
import { getPreferences } from "../store/preferences.ts"
import { B1_KEY, type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { preferencesRoutes } from "./preferences.ts"
import { merged, preferencesJson, readPreferences } from "./preferences-body.ts"
import { recipientRoutes } from "./recipients.ts"

const NOTHING = { channels: {}, categories: {}, severity_min: {}, quiet_hours: null }
const ALL = {
  channels: { email: false, telegram: true },
  categories: { billing: { sms: false } },
  severity_min: { sms: "high" },
  quiet_hours: { from: "22:00", to: "07:00", timezone: "Asia/Baghdad" },
}

let front: Front
beforeAll(async () => {
  front = await startFront(({ db }) => [recipientRoutes({ db }), preferencesRoutes({ db })])
})
afterAll(() => front.stop())

const person = async (id: string, more: object = {}): Promise<string> => {
  const json = { business_id: "b1", ...more }
  expect((await front.call(`/v1/recipients/${id}`, { method: "PUT", json, key: SERVICE_KEY })).status).toBeLessThan(300)
  return tokenFor({ sub: id, business_id: "b1" })
}
const ask = (method: string, key: string, json?: unknown, path = "/v1/prefs") =>
  front.call(path, { method, key, ...(json === undefined ? {} : { json }) })
const said = async (answer: Promise<Response>): Promise<unknown> => {
  const response = await answer
  expect(response.status).toBe(200)
  return response.json()
}
interface Refusal {
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[]
}
const refused = async (json: unknown, key: string): Promise<Record<string, string>> => {
  const answer = await ask("PUT", key, json)
  expect(answer.status).toBe(422)
  return Object.fromEntries((await jsonOf<Refusal>(answer)).errors.map(({ pointer, detail }) => [pointer, detail]))
}

describe("preferences", () => {
  test("of somebody who said nothing allow everything, and are read back as they were replaced", async () => {
    const ann = await person("ann")
    expect(await said(ask("GET", ann))).toEqual(NOTHING)
    expect(await said(ask("PUT", ann, ALL))).toEqual(ALL)
    expect(await said(ask("GET", ann))).toEqual(ALL)
    expect(await said(ask("PUT", ann, { channels: { sms: false } }))).toEqual({ ...NOTHING, channels: { sms: false } })
  })

  test("are changed part by part, and a null takes back what was said", async () => {
    const bea = await person("bea")
    await said(ask("PUT", bea, ALL))
    const change = {
      channels: { email: null, sms: false },
      categories: { offers: { email: false } },
      severity_min: null,
      quiet_hours: { to: "08:30" },
    }
    const now = {
      channels: { telegram: true, sms: false },
      categories: { billing: { sms: false }, offers: { email: false } },
      severity_min: {},
      quiet_hours: { from: "22:00", to: "08:30", timezone: "Asia/Baghdad" },
    }
    expect(await said(ask("POST", bea, change))).toEqual(now)
    expect(await said(ask("POST", bea, { categories: { billing: null }, quiet_hours: null }))).toEqual({
      ...now,
      categories: { offers: { email: false } },
      quiet_hours: null,
    })
  })

  test("that are changed in two places at once are all kept", async () => {
    const eve = await person("eve")
    await Promise.all(
      CHANNELS.filter((channel) => channel !== "inapp").map((channel) =>
        said(ask("POST", eve, { channels: { [channel]: false } })),
      ),
    )
    expect(await said(ask("GET", eve))).toMatchObject({
      channels: { email: false, sms: false, voice: false, telegram: false, slack: false, push: false },
    })
  })

  test("reach whoever decides, and whoever takes all of theirs back is one who said nothing", async () => {
    const fay = await person("fay")
    const [business, recipient] = [asBusinessId("b1"), asRecipientId("fay")]
    if (business === null || recipient === null) throw new Error("no ids")
    const query = { business, location: null, roles: [], users: [recipient], lists: [], everyone: false }
    const wishes = async () => (await audienceOf(front.db)([query]))[0]?.preferences
    await said(ask("PUT", fay, ALL))
    expect((await wishes())?.get(recipient)).toMatchObject({
      channels: { email: false },
      severityMin: { sms: "high" },
      quietHours: { from: 1_320, to: 420, timezone: "Asia/Baghdad" },
    })
    await said(ask("PUT", fay, {}))
    expect(await wishes()).toEqual(new Map())
  })

  test("go with their recipient", async () => {
    const gil = await person("gil")
    await said(ask("PUT", gil, ALL))
    expect((await front.call("/v1/recipients/gil", { method: "DELETE", key: SERVICE_KEY })).status).toBe(204)
    expect(await said(ask("GET", gil))).toEqual(NOTHING)
  })

  test("may be said before any recipient has the id, and hold once one does", async () => {
    const token = await tokenFor({ sub: "early", business_id: "b1" })
    await said(ask("PUT", token, { channels: { sms: false } }))
    await person("early")
    expect(await said(ask("GET", token))).toMatchObject({ channels: { sms: false } })
  })

  test("publish nothing: what is held back asks by itself", async () => {
    const ida = await person("ida")
    const before = front.news.length
    await said(ask("PUT", ida, ALL))
    expect(front.news.length).toBe(before)
  })
})

describe("whose preferences", () => {
  const of = (id: string) => `/v1/recipients/${id}/prefs`

  test("services and a business's admins read and change those of its recipients", async () => {
    const kim = await person("kim")
    expect(await said(ask("PUT", B1_KEY, ALL, of("kim")))).toEqual(ALL)
    expect(await said(ask("GET", kim))).toEqual(ALL)
    const admin = await tokenFor({ sub: "boss", roles: ["admin"], business_id: "b1" })
    expect(await said(ask("POST", admin, { channels: { email: null } }, of("kim")))).toMatchObject({
      channels: { telegram: true },
    })
  })

  test("another tenant's recipient is not there, as one is not who does not exist", async () => {
    await person("lea", { business_id: "b2" })
    for (const id of ["lea", "nobody"]) {
      for (const method of ["GET", "PUT", "POST"]) {
        const answer = await ask(method, B1_KEY, method === "GET" ? undefined : ALL, of(id))
        expect(answer.status).toBe(404)
        expect(await answer.text()).toContain("no recipient of this id that you can see")
      }
    }
    expect(await said(ask("GET", SERVICE_KEY, undefined, of("lea")))).toEqual(NOTHING)
  })

  test("a person has no business with another's, and a key none of its own", async () => {
    const max = await person("max")
    await person("ned")
    expect((await ask("GET", max, undefined, of("ned"))).status).toBe(403)
    expect((await ask("PUT", SERVICE_KEY, ALL)).status).toBe(403)
  })
})

describe("what cannot be wished is refused with its pointer", () => {
  test("words that are not known, with the nearest one", async () => {
    const wrong = await refused(
      {
        chanels: {},
        channels: { emial: false, sms: "no", inapp: false },
        categories: { billing: { telegramm: false }, "": {}, offers: true },
        severity_min: { sms: "urgent", inapp: "high" },
        quiet_hours: { from: "22:00", to: "7:00", zone: "x", timezone: "Mars/Base" },
      },
      await person("oda"),
    )
    expect(Object.keys(wrong).toSorted()).toEqual(
      [
        "/chanels",
        "/channels/emial",
        "/channels/sms",
        "/channels/inapp",
        "/categories/",
        "/categories/billing/telegramm",
        "/categories/offers",
        "/severity_min/sms",
        "/severity_min/inapp",
        "/quiet_hours/to",
        "/quiet_hours/zone",
        "/quiet_hours/timezone",
      ].toSorted(),
    )
    expect(wrong["/chanels"]).toEndWith("did you mean channels?")
    expect(wrong["/channels/emial"]).toEndWith("did you mean email?")
    expect(wrong["/categories/billing/telegramm"]).toEndWith("did you mean telegram?")
  })

  test("times that are none, hours without end, and a body that says nothing", async () => {
    const pia = await person("pia", { timezone: "Asia/Baghdad" })
    for (const time of ["24:00", "22:60", "22", "22:00:00", " 22:00", 1320, true]) {
      expect(Object.keys(await refused({ quiet_hours: { from: time, to: "07:00" } }, pia))).toEqual([
        "/quiet_hours/from",
      ])
    }
    expect(Object.keys(await refused({ quiet_hours: { from: "07:00", to: "07:00" } }, pia))).toEqual([
      "/quiet_hours/to",
    ])
    expect(Object.keys(await refused({ quiet_hours: {} }, pia))).toEqual(["/quiet_hours/from", "/quiet_hours/to"])
    expect(Object.keys(await refused({ quiet_hours: "night" }, pia))).toEqual(["/quiet_hours"])
    for (const body of [null, [], "none"]) expect(Object.keys(await refused(body, pia))).toEqual([""])
  })

  test("an offset for a zone, since it knows no summer, and no zone where the recipient has none", async () => {
    const [rex, sam] = [await person("rex"), await person("sam", { timezone: "Europe/Berlin" })]
    const quiet_hours = { from: "22:00", to: "07:00" }
    for (const timezone of ["+03:00", "", 3, undefined]) {
      expect(Object.keys(await refused({ quiet_hours: { ...quiet_hours, timezone } }, rex))).toEqual([
        "/quiet_hours/timezone",
      ])
    }
    expect(await said(ask("PUT", sam, { quiet_hours }))).toMatchObject({
      quiet_hours: { ...quiet_hours, timezone: "Europe/Berlin" },
    })
  })

  test("more than a hundred categories, and nothing is changed", async () => {
    const tom = await person("tom")
    const categories = (n: number) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`c${i}`, { sms: false }] as const))
    await said(ask("PUT", tom, { categories: categories(100) }))
    expect(Object.keys(await refused({ categories: categories(101) }, tom))).toEqual(["/categories"])
    const one = await ask("POST", tom, { categories: { "one-more": { sms: false } } })
    expect(one.status).toBe(422)
    const id = asRecipientId("tom")
    if (id === null) throw new Error("no id")
    expect(Object.keys((await getPreferences(front.db, id)).categories)).toHaveLength(100)
  })
})

const byChannel = <T>(value: fc.Arbitrary<T>) =>
  fc.dictionary(fc.constantFrom("email", "sms", "voice", "telegram", "slack", "push"), value, { noNullPrototype: true })
const time = fc.tuple(fc.nat(23), fc.nat(59)).map((parts) => parts.map((n) => String(n).padStart(2, "0")).join(":"))
const preferences = fc.record({
  channels: byChannel(fc.boolean()),
  categories: fc.dictionary(
    fc.string({ minLength: 1, maxLength: 20 }).map((word) => `c${word}`),
    byChannel(fc.boolean()),
    {
      noNullPrototype: true,
      maxKeys: 5,
    },
  ),
  severity_min: byChannel(fc.constantFrom(...(Object.keys(SEVERITY_RANK) as Severity[]))), // its own keys
  quiet_hours: fc.option(
    fc
      .record({ from: time, to: time, timezone: fc.constantFrom("Asia/Baghdad", "UTC", "Europe/Berlin") })
      .filter(({ from, to }) => from !== to),
  ),
})

test("whatever can be said is read back the same, and changes nothing when it is said again", () => {
  fc.assert(
    fc.property(preferences, (given) => {
      const read = readPreferences(given, null)
      if ("errors" in read) throw new Error(JSON.stringify(read.errors))
      const shown = preferencesJson(read.preferences)
      const categories = Object.fromEntries(
        Object.entries(given.categories).filter(([, w]) => Object.keys(w).length > 0),
      )
      expect(shown).toEqual({ ...given, categories })
      expect(readPreferences(merged(shown, given), null)).toEqual(read)
    }),
  )
})

test("no JSON at all makes preferences that are not closed, or throws", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
      const read = readPreferences(merged(one as Json, other as Json), "UTC") // fast-check's JSON is ours
      if ("errors" in read) expect(read.errors.length).toBeGreaterThan(0)
      else expect(readPreferences(preferencesJson(read.preferences), null)).toEqual(read)
    }),
  )
  expect(readPreferences({}, null)).toEqual({ preferences: NO_PREFERENCES })
})
