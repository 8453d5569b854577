/** Who may join what, from real tokens through real sockets, against the rule in its plainest words. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { loadConfig } from "../config.ts"
import { asBusinessId, asLocationId, type BusinessId, type LocationId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { resourceStream } from "../domain/stream.ts"
import { createTokenCheck } from "../http/token-check.ts"
import { systemClock } from "../runtime/clock.ts"
import { JWT_SECRET, tokenFor } from "../testing/front.ts"
import { RawClient, startRoom } from "../testing/realtime-room.ts"

/** Few letters and many hyphens: as many strings as possible that spell more than one place. */
const id = fc.constantFrom("a", "b", "a-b", "b-a", "a-a", "a-b-a", "b-", "-a", "A", "a.b")
const locations = fc.array(id, { minLength: 1, maxLength: 3 })
const grant = fc.record({ business: id, locations }, { requiredKeys: ["business"] })
const letter = fc.constantFrom("a", "b")
/** Places that one hyphenated string spells alike: one of each business, or all of both. */
const twins = fc.tuple(letter, letter, letter, fc.boolean()).map(([x, y, z, all]): JsonObject[] => [
  { business: x, ...(all ? {} : { locations: [`${y}-${z}`] }) },
  { business: `${x}-${y}`, ...(all ? {} : { locations: [z] }) },
])
/** The claims in their two spellings, and the one of whoever may see everything. */
const claims: fc.Arbitrary<JsonObject> = fc.oneof(
  { weight: 8, arbitrary: fc.array(grant, { minLength: 1, maxLength: 3 }).map((tenants) => ({ tenants })) },
  { weight: 4, arbitrary: twins.map((tenants) => ({ tenants })) },
  { weight: 3, arbitrary: fc.record({ business_id: id, branch_ids: locations }) },
  { weight: 1, arbitrary: id.map((business_id) => ({ business_id })) },
  { weight: 1, arbitrary: fc.constant({ tenants: "*", roles: ["admin"] }) },
)
const topic = fc.oneof(
  fc.tuple(id, id).map(([business, location]) => `resources:${business}-${location}`),
  fc.tuple(id, id).map(([business, location]) => `resources:${business}:${location}`),
  id.map((business) => `resources:${business}`),
  fc.constantFrom("resources:", "resources:a-", "resources::a", "resources:a:b:a", "resources:a b", "resources:*"),
)

interface Place {
  readonly business: string
  readonly location: string | null
}
const nameOf = ({ business, location }: Place): string => `${business}:${location ?? "*"}`

// The rule, shared with nothing that is under test: of every reading of the string those that the claims name.

function readings(name: string): readonly Place[] {
  const text = name.slice("resources:".length)
  const cuts = [...text].flatMap((character, at): Place[] =>
    character === "-" || character === ":" ? [{ business: text.slice(0, at), location: text.slice(at + 1) }] : [],
  )
  return [{ business: text, location: null }, ...cuts].filter(
    ({ business, location }) =>
      asBusinessId(business) !== null && (location === null || asLocationId(location) !== null),
  )
}
function names(own: JsonObject, { business, location }: Place): boolean {
  if (own["tenants"] === "*") return true
  const grants = (own["tenants"] ?? [
    { business: own["business_id"], ...("branch_ids" in own ? { locations: own["branch_ids"] } : {}) },
  ]) as readonly { business: string; locations?: readonly string[] }[] // as generated above
  return grants.some(
    (each) =>
      each.business === business &&
      (each.locations === undefined || (location !== null && each.locations.includes(location))),
  )
}
const meaning = (own: JsonObject, name: string): readonly Place[] => readings(name).filter((place) => names(own, place))
function expectedAnswer(own: JsonObject, name: string): string {
  const count = meaning(own, name).length
  if (count === 0) return "unauthorized"
  return count === 1 || own["tenants"] === "*" ? "ok" : "ambiguous_topic"
}

test("of 10,000 (token, topic) pairs every join is answered by the claims, and no frame and no presence leaks", async () => {
  const tokens = await Promise.all(
    fc.sample(claims, { numRuns: 130, seed: 7 }).map(async (own, n) => {
      return { own, sub: `t${n}`, token: await tokenFor({ sub: `t${n}`, ...own }) }
    }),
  )
  const topics = [...new Set(fc.sample(topic, { numRuns: 180, seed: 8 }))]
  const places = [
    ...new Map(fc.sample(fc.tuple(id, id), { numRuns: 150, seed: 9 }).map((p) => [p.join(":"), p])).values(),
  ]
  expect(tokens.length * topics.length).toBeGreaterThanOrEqual(10_000)

  const { ok: config } = loadConfig({ NODE_ENV: "test", JWT_SECRET, HUB_API_KEYS: "", HUB_DATA_DIR: "/nowhere" }, false)
  if (config === undefined) throw new Error("no settings")
  const check = createTokenCheck(config.jwt, systemClock)
  const room = await startRoom({
    anonymousTopics: false,
    authenticate: async (token) => {
      const found = await check(token)
      return "failure" in found ? null : found
    },
    limits: { joinBurst: 10_000, topicsPerSocket: 1_000 },
  })

  const answers = new Map<string, number>()
  const clients = []
  for (const [n, { own, sub, token }] of tokens.entries()) {
    const client = await RawClient.open(room.url(`vsn=2.0.0&token=${token}`))
    // Some are present too: all of them on all topics would be a million names.
    const present = n % 3 === 0
    for (const name of topics) client.send([name, name, name, "phx_join", present ? { presence: {} } : {}])
    const joined = new Set<string>()
    const early: string[] = []
    for (let left = topics.length; left > 0; ) {
      const text = await client.next()
      const [, , name, event, answer] = JSON.parse(text)
      if (event !== "phx_reply") {
        early.push(text)
        continue
      }
      left -= 1
      const said: string = answer.status === "ok" ? "ok" : answer.response.reason
      if (said !== expectedAnswer(own, name)) throw new Error(`${JSON.stringify(own)} joins ${name}: ${said}`)
      answers.set(said, (answers.get(said) ?? 0) + 1)
      if (said === "ok") joined.add(name)
    }
    clients.push({ client, own, sub, present, joined, early })
  }
  // Each of the three answers was the right one for many.
  expect(Math.min(...["ok", "unauthorized"].map((said) => answers.get(said) ?? 0))).toBeGreaterThan(300)
  expect(answers.get("ambiguous_topic")).toBeGreaterThan(20)

  room.publish(
    places.flatMap(([business, location]) => {
      const [b, l] = [business as BusinessId, location as LocationId] // of the pattern
      const body = { business, location }
      return [room.streams.append(resourceStream(b, l), body), room.streams.append(resourceStream(b, null), body)]
    }),
  )
  /** Where each person is present, by the rule. */
  const presentAt = new Map(
    clients
      .filter(({ present }) => present)
      .map(({ sub, own, joined }) => [sub, new Set([...joined].flatMap((name) => meaning(own, name).map(nameOf)))]),
  )
  let [frames, sightings] = [0, 0]
  for (const { client, own, joined, present, early } of clients) {
    const got = new Set<string>()
    // Who is present hears who else is on each of the topics, a moment after the join.
    const toldOf = (): number => early.filter((text) => text.includes(`,"presence_state",`)).length
    while (present && toldOf() < joined.size) early.push(await client.next())
    for (const text of [...early, ...(await client.settled())]) {
      const [, , name, event, payload] = JSON.parse(text)
      if (!joined.has(name)) throw new Error(`${event} on ${name}, which was not joined`)
      const seen = meaning(own, name).map(nameOf)
      if (event === "resource_update") {
        const { business, location } = payload as Record<"business" | "location", string>
        const place = `${business}:${name === `resources:${business}` && seen.includes(`${business}:*`) ? "*" : location}`
        if (!seen.includes(place)) throw new Error(`${JSON.stringify(own)} was sent ${place} on ${name}`)
        got.add(`${name} ${business}:${location}`)
        frames += 1
        continue
      }
      expect(present).toBe(true)
      for (const key of Object.keys(event === "presence_state" ? payload : { ...payload.joins, ...payload.leaves })) {
        if (!seen.some((place) => presentAt.get(key)?.has(place))) throw new Error(`${key} was shown on ${name}`)
        sightings += 1
      }
    }
    // And nothing that a joined topic says was kept back.
    for (const name of joined) {
      const seen = meaning(own, name).map(nameOf)
      for (const [business, location] of places) {
        if (seen.includes(`${business}:${location}`) || seen.includes(`${business}:*`))
          expect(got).toContain(`${name} ${business}:${location}`)
      }
    }
    client.close()
  }
  expect(frames).toBeGreaterThan(1_000)
  expect(sightings).toBeGreaterThan(1_000)
  await room.stop()
}, 30_000)
