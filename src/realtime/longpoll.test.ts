import { afterEach, describe, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { answerOf, held, PollClient, pollUrl, probes, released } from "../testing/poll-client.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const tenancy = [{ business: "b1" as BusinessId, locations: ["l1" as LocationId] }]
const people = { "a-jwt": person("u1", tenancy), other: person("u2", tenancy) }
const joined = { status: "ok", response: { epoch: "e1", offset: 0 } }

let room: Room
afterEach(async () => {
  await room.stop()
})

const binary = (joinRef: string, ref: string, topic: string, event: string, data: number[]): Uint8Array =>
  new Uint8Array([
    0,
    joinRef.length,
    ref.length,
    topic.length,
    event.length,
    ...Buffer.from(joinRef + ref + topic + event),
    ...data,
  ])

describe("a session", () => {
  test("polls and posts under the same rules as a socket, and hears what a socket hears", async () => {
    room = await startRoom({ people, anonymousTopics: false })
    const socket = await RawClient.open(room.url("vsn=2.0.0&token=other"))
    await socket.join(TOPIC)
    const client = await PollClient.open(room, "vsn=2.0.0&token=a-jwt")
    expect(await client.join(TOPIC)).toEqual(joined)
    const polling = client.frames()
    room.publish([room.streams.append(stream, { n: 1 }), room.streams.append(stream, { n: 2 })])
    const heard = [await socket.frame(), await socket.frame()]
    expect(await polling).toEqual(heard)
    await client.post([["1", "2", TOPIC, "phx_leave", {}]])
    expect(await client.frames()).toEqual([
      ["1", "2", TOPIC, "phx_reply", { status: "ok", response: {} }],
      ["1", "1", TOPIC, "phx_close", {}],
    ])
    expect(room.realtime.native.subscribers(`2 colon ${stream}`)).toBe(1)
  })

  test("recovers on another session what it missed on the first", async () => {
    room = await startRoom()
    const first = await PollClient.open(room)
    await first.join(TOPIC)
    room.publish([room.streams.append(stream, { n: 1 }), room.streams.append(stream, { n: 2 })])
    const second = await PollClient.open(room)
    expect(await second.join(TOPIC, { recover: { epoch: "e1", offset: 1 } })).toMatchObject({
      response: { recovered: true, offset: 2, missed: [{ payload: { n: 2 } }] },
    })
  })

  test("speaks version 1: one frame a body, whatever its content type is", async () => {
    room = await startRoom()
    for (const type of ["application/json", "text/plain", ""]) {
      const client = await PollClient.open(room, "vsn=1.0.0")
      await client.post([{ topic: TOPIC, event: "phx_join", payload: {}, ref: "1" }], type)
      expect((await client.poll()).messages).toEqual([
        `{"ref":"1","event":"phx_reply","payload":${JSON.stringify(joined)},"topic":"${TOPIC}"}`,
      ])
    }
  })

  test("takes a batch of lines in order, text and binary, up to the hundredth", async () => {
    room = await startRoom({ families: probes() })
    const client = await PollClient.open(room)
    await client.join("echo:a")
    const echo = (ref: number) => ["1", `${ref}`, "echo:a", "echo", { ref }]
    expect(await client.post([echo(2), binary("1", "3", "echo:a", "push", [9]), echo(4)])).toEqual({ status: 200 })
    expect((await client.poll()).messages).toEqual([
      JSON.stringify(["1", "2", "echo:a", "phx_reply", { status: "ok", response: { ref: 2 } }]),
      // As Phoenix has it: the bytes as a string.
      "\u0000\u0001\u0006\u00061echo:apushed\t",
      JSON.stringify(["1", "4", "echo:a", "phx_reply", { status: "ok", response: { ref: 4 } }]),
    ])
    await client.post(Array.from({ length: 150 }, (_, n) => echo(n)))
    const refs = (await client.frames()).map(([, ref]) => ref)
    expect(refs).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`))
  })

  test("messages with a null join_ref are taken, stale ones dropped, and a topic never joined is answered so", async () => {
    room = await startRoom({ families: probes() })
    const client = await PollClient.open(room)
    await client.join("echo:a", {}, "5")
    await client.post([
      ["4", "6", "echo:a", "echo", { stale: true }],
      ["4", "7", "echo:a", "phx_leave", {}],
      [null, "8", "echo:a", "echo", { fresh: true }],
      ["5", "9", "echo:b", "echo", {}],
      [null, "10", "echo:a", "phx_leave", {}],
    ])
    expect((await client.frames()).map(([joinRef, ref, , event]) => [joinRef, ref, event])).toEqual([
      ["5", "8", "phx_reply"],
      [null, "9", "phx_reply"],
      ["5", "10", "phx_reply"],
      ["5", "5", "phx_close"],
    ])
  })
})

describe("who may poll", () => {
  test("a person by token or by header; the session's name beside it, under the same name, is no trouble", async () => {
    room = await startRoom({ people, anonymousTopics: false })
    const query = await PollClient.open(room, "vsn=2.0.0&token=a-jwt")
    // Two parameters of one name: what a stock client with `params: {token}` sends.
    expect(query.url).toContain("token=a-jwt&token=lp1.")
    expect(await query.join(TOPIC)).toEqual(joined)

    const header = new PollClient(pollUrl(room))
    expect((await header.poll({ headers: { "x-phoenix-authtoken": "a-jwt" } })).status).toBe(410)
    expect(await header.join(TOPIC)).toEqual(joined)
  })

  test("a session's token in the header wins over the one in the URL", async () => {
    room = await startRoom({ limits: { pollWindowMs: 30 } })
    const [one, two] = [await PollClient.open(room), await PollClient.open(room)]
    const answer = await answerOf(fetch(one.url, { headers: { "x-phoenix-longpoll-token": two.token } }))
    expect(answer).toEqual({ messages: [], status: 204, token: two.token })
    const bad = await answerOf(
      fetch(one.url, { method: "POST", headers: { "x-phoenix-longpoll-token": "bad" }, body: "" }),
    )
    expect(bad).toEqual({ status: 410 })
  })

  test("a bad token, a version nobody speaks and another origin are told 403; a forged session begins anew", async () => {
    room = await startRoom({ people, anonymousTopics: false, allowedOrigins: "same_origin" })
    const asked = (query: string, init?: RequestInit) => answerOf(fetch(pollUrl(room, query), init))
    expect(await asked("vsn=2.0.0&token=wrong")).toEqual({ status: 403 })
    expect(await asked("vsn=2.0.0")).toEqual({ status: 403 })
    expect(await asked("vsn=9.0.0&token=a-jwt")).toEqual({ status: 403 })
    const origin = { headers: { origin: "https://evil.example" } }
    expect(await asked("vsn=2.0.0&token=a-jwt", origin)).toEqual({ status: 403 })
    const { token } = await PollClient.open(room, "vsn=2.0.0&token=a-jwt")
    const forged = `${token.slice(0, -2)}${token.endsWith("AA") ? "BB" : "AA"}`
    expect(await asked(`vsn=2.0.0&token=${forged}`, { method: "POST", body: "" })).toEqual({ status: 410 })
    expect(await asked(`vsn=2.0.0&token=a-jwt&token=${forged}`)).toMatchObject({ status: 410, messages: [] })
    expect(await asked(`vsn=2.0.0&token=${forged}`)).toEqual({ status: 403 })
    expect(JSON.stringify(room.events)).not.toMatch(/a-jwt|wrong|lp1/)
  })

  test("a browser elsewhere is answered its preflight, and other methods get an empty 400", async () => {
    room = await startRoom()
    const url = pollUrl(room)
    const headers = {
      origin: "https://a.example",
      "access-control-request-headers": "content-type, x-phoenix-authtoken",
    }
    const preflight = await fetch(url, { method: "OPTIONS", headers })
    expect([preflight.status, await preflight.text()]).toEqual([200, ""])
    expect(Object.fromEntries([...preflight.headers].filter(([name]) => name.startsWith("access-control")))).toEqual({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "get, post, options",
      "access-control-allow-headers": "content-type, x-phoenix-authtoken",
      "access-control-max-age": "3600",
    })
    for (const method of ["PUT", "DELETE", "PATCH"]) {
      const answer = await fetch(url, { method })
      expect([answer.status, await answer.text()]).toEqual([400, ""])
    }
  })
})

describe("time", () => {
  test("a poll is held for a window, and a client that stays away for half as long again is gone", async () => {
    const clock = fakeClock()
    room = await startRoom({ clock })
    const client = await PollClient.open(room)
    const polling = client.poll()
    await held(room)
    await clock.advance(9_999)
    await clock.advance(1)
    expect(await polling).toEqual({ messages: [], status: 204, token: client.token })
    await clock.advance(14_999)
    expect((await client.post([[null, "1", "phoenix", "heartbeat", {}]])).status).toBe(200)
    await clock.advance(1)
    expect(await client.post([[null, "2", "phoenix", "heartbeat", {}]])).toEqual({ status: 410 })
    expect(room.realtime.gauges.sockets()).toBe(0)
    expect((await client.poll()).status).toBe(410)
  })

  test("a client that polls is not idle, however long it says nothing", async () => {
    const clock = fakeClock()
    room = await startRoom({ clock })
    const client = await PollClient.open(room)
    for (let n = 0; n < 12; n++) {
      const polling = client.poll()
      await held(room)
      await clock.advance(10_000)
      expect((await polling).status).toBe(204)
    }
  })

  test("frames wait for a client that is between two polls, and for one that hung up", async () => {
    room = await startRoom()
    const client = await PollClient.open(room)
    await client.join(TOPIC)
    const abort = new AbortController()
    const polling = fetch(client.url, { signal: abort.signal }).catch(() => "hung up")
    await held(room)
    abort.abort()
    expect(await polling).toBe("hung up")
    await released(room)
    room.publish([room.streams.append(stream, { n: 1 })])
    expect((await client.frames())[0]?.[4]).toEqual({ n: 1, _offset: 1 })
  })

  test("a second poll of one session takes the place of the first", async () => {
    room = await startRoom()
    const client = await PollClient.open(room)
    await client.join(TOPIC)
    const first = client.poll()
    await held(room)
    const second = client.poll()
    expect((await first).status).toBe(204)
    room.publish([room.streams.append(stream, { n: 1 })])
    expect((await second).status).toBe(200)
  })

  test("a post whose topic does not take it within a window is told 408", async () => {
    const clock = fakeClock()
    const joins = Promise.withResolvers<void>()
    room = await startRoom({ clock, families: probes(joins.promise) })
    const client = await PollClient.open(room)
    const posting = client.post([
      ["1", "1", "slow:a", "phx_join", {}],
      ["1", "2", "slow:a", "echo", {}],
    ])
    // Another topic of this client is not kept waiting.
    expect(await client.post([["2", "3", "echo:a", "phx_join", {}]])).toEqual({ status: 200 })
    await clock.advance(10_000)
    expect(await posting).toEqual({ status: 408 })
    joins.resolve()
  })
})
