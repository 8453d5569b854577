import { expect, test } from "bun:test"
import { below, everybody, readPicture } from "./picture.ts"
import { NINE, sampleHub, samplePicture, withActor } from "./sample.ts"

test("a picture is read as it is sent", () => {
  const recent_restarts = [{ at: "2026-01-05T08:59:58.000Z", reason: "error", detail: "TypeError: x" }]
  const tree = withActor(sampleHub(), "router", { handled: 12, handler_age_ms: 3.1, restarts: 1, recent_restarts })
  const picture = readPicture(samplePicture(tree, { stuck: 2, deadLetters: [{ to: "router", why: "exit" }] }))
  expect(picture).toMatchObject({ node: "hubbub-1a2b", at: NINE, stuck: 2, deadLetters: { count: 1 } })
  expect(picture && everybody(picture.tree).get("router")).toMatchObject({
    state: "running",
    handled: 12,
    handlerAgeMs: 3.1,
    restarts: 1,
    recentRestarts: [{ at: NINE - 2_000, reason: "error", detail: "TypeError: x" }],
    mailbox: { depth: 0, bound: 1_000, dropped: 0 },
  })
})

test("what a hub leaves out or says otherwise leaves a gap and breaks nothing", () => {
  for (const nothing of [null, 1, [], {}, { tree: null }, { tree: { id: "" } }]) expect(readPicture(nothing)).toBeNull()
  const picture = readPicture({
    tree: { id: "hub", state: "dreaming", at: 3, children: [null, { id: "a" }, { x: 1 }] },
  })
  expect(picture?.tree).toMatchObject({ name: "hub", state: "stopped", mailbox: null, childrenCount: 1 })
  expect(picture?.deadLetters).toEqual({ count: 0, recent: [] })
})

test("those below are counted, also where the picture does not show them", () => {
  const picture = readPicture(samplePicture(withActor(sampleHub([{ id: "t1" }]), "topics", { children_count: 312 })))
  const topics = picture && everybody(picture.tree).get("topics")
  const realtime = picture && everybody(picture.tree).get("realtime")
  expect([topics && below(topics), realtime && below(realtime)]).toEqual([312, 315])
})
