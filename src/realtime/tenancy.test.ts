import { expect, test } from "bun:test"
import fc from "fast-check"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Grant, Tenancy } from "../domain/principal.ts"
import { resourceStream } from "../domain/stream.ts"
import { person, RawClient, startRoom } from "../testing/realtime-room.ts"

/** Few letters and many hyphens: as many strings as possible that spell more than one place. */
const id = fc.constantFrom("a", "b", "a-b", "b-a", "a-a", "a-b-a", "b-", "-a", "A", "a.b")
const grant: fc.Arbitrary<Grant> = fc.record({
  business: id.map((text) => text as BusinessId),
  locations: fc.option(
    fc.array(
      id.map((text) => text as LocationId),
      { minLength: 1, maxLength: 3 },
    ),
    { nil: null },
  ),
})
const tenancy: fc.Arbitrary<Tenancy> = fc.oneof(
  { weight: 9, arbitrary: fc.array(grant, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant("*" as const) },
)
const topic = fc.oneof(
  fc.tuple(id, id).map(([business, location]) => `resources:${business}-${location}`),
  fc.tuple(id, id).map(([business, location]) => `resources:${business}:${location}`),
  id.map((business) => `resources:${business}`),
)
const place = fc.tuple(id, id)

/** The rule in its plainest words, shared with nothing that is under test. */
const allowed = (own: Tenancy, business: string, location: string | null): boolean =>
  own === "*" ||
  own.some(
    (each) =>
      each.business === business && (each.locations === null || each.locations.some((known) => known === location)),
  )

test("of 20,000 generated (tenancy, topic, published pair) triples no frame reaches a tenant that may not see it", async () => {
  const tenancies = fc.sample(tenancy, { numRuns: 50, seed: 7 })
  const topics = [...new Set(fc.sample(topic, { numRuns: 110, seed: 8 }))]
  const places = [
    ...new Map(fc.sample(place, { numRuns: 150, seed: 9 }).map((pair) => [pair.join(":"), pair])).values(),
  ]
  expect(tenancies.length * topics.length * places.length).toBeGreaterThanOrEqual(20_000)
  const people = Object.fromEntries(tenancies.map((each, n) => [`t${n}`, person(null, each)]))
  const room = await startRoom({ people, anonymousTopics: false })
  const clients = await Promise.all(
    tenancies.map(async (each, n) => {
      const client = await RawClient.open(room.url(`vsn=2.0.0&token=t${n}`))
      const joined = new Set<string>()
      const refused = new Map<string, string>()
      for (const name of topics) client.send([name, name, name, "phx_join", {}])
      for (const _ of topics) {
        const [, , name, , answer] = await client.frame()
        const { status, response } = answer as { status: string; response: { reason: string } }
        if (status === "ok") joined.add(name)
        else refused.set(name, response.reason)
      }
      return { client, tenancy: each, joined, refused }
    }),
  )
  room.publish(
    places.flatMap(([business, location]) => {
      const [b, l] = [business as BusinessId, location as LocationId]
      const body = { business, location }
      return [room.streams.append(resourceStream(b, l), body), room.streams.append(resourceStream(b, null), body)]
    }),
  )
  let frames = 0
  for (const { client, tenancy: own, joined, refused } of clients) {
    const got = new Set<string>()
    for (const text of await client.settled()) {
      const [joinRef, , name, event, payload] = JSON.parse(text) as [
        null,
        null,
        string,
        string,
        { business: string; location: string },
      ]
      const [business, location] = [payload.business, payload.location]
      const readings = [
        `resources:${business}-${location}`,
        `resources:${business}:${location}`,
        `resources:${business}`,
      ]
      expect([joinRef, event]).toEqual([null, "resource_update"])
      expect(joined).toContain(name)
      expect(readings).toContain(name)
      const wholeBusiness = name === `resources:${business}`
      expect(allowed(own, business, wholeBusiness ? null : location)).toBe(true)
      got.add(`${name} ${business}:${location}`)
      frames += 1
    }
    // And nothing that a joined topic says was kept back.
    for (const name of joined) {
      for (const [business, location] of places) {
        const spells = name === `resources:${business}-${location}` || name === `resources:${business}:${location}`
        if (spells && allowed(own, business, location)) {
          expect(got).toContain(`${name} ${business}:${location}`)
        }
      }
    }
    if (own === "*") expect([...refused]).toEqual([])
    client.close()
  }
  expect(frames).toBeGreaterThan(500)
  await room.stop()
})
