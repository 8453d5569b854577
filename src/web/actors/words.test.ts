import { expect, test } from "bun:test"
import { everybody, type Picture, readPicture } from "./picture.ts"
import { restartWords } from "./restart.ts"
import { NINE, type Sample, type SampleOptions, sampleHub, samplePicture, withActor } from "./sample.ts"
import {
  actorsSaying,
  clock,
  duration,
  folded,
  LOOK_WORDS,
  lettersSaying,
  lookOf,
  rate,
  restartMeans,
  stuckSaying,
  why,
  whyNoRestart,
} from "./words.ts"

function pictureOf(tree: Sample, options: SampleOptions = {}): Picture {
  const picture = readPicture(samplePicture(tree, options))
  if (picture === null) throw new Error("the sample is a picture")
  return picture
}

const actorOf = (picture: Picture, id: string) => {
  const actor = everybody(picture.tree).get(id)
  if (actor === undefined) throw new Error(`the sample has no ${id}`)
  return actor
}

test("the top says who is in trouble and that the others are fine", () => {
  const hub = sampleHub()
  expect(actorsSaying(pictureOf(hub), [])).toEqual({ tone: "good", head: "Everything runs", said: "22 actors" })
  const waiting = withActor(hub, "dispatcher:slack", { state: "backoff" })
  expect(actorsSaying(pictureOf(waiting), [])).toEqual({
    tone: "warn",
    head: "dispatcher:slack is not running",
    said: "21 others are fine",
  })
  const two = pictureOf(withActor(waiting, "router", { state: "stopped" }))
  expect(actorsSaying(two, [])).toEqual({
    tone: "bad",
    head: "2 actors are not running",
    said: "dispatcher:slack, router; 20 others are fine",
  })
  expect(actorsSaying(two, [actorOf(two, "drain")])).toMatchObject({ tone: "bad", head: "drain keeps crashing" })
})

test("what was lost and what is stuck is said in words", () => {
  expect(lettersSaying(pictureOf(sampleHub()), NINE).head).toBe("No internal message lost")
  const lost = pictureOf(sampleHub(), { deadLetters: [{ to: "router", why: "overflow" }] })
  expect(lettersSaying(lost, NINE)).toMatchObject({ tone: "warn", head: "1 internal message reached nobody" })
  expect(lettersSaying(lost, NINE).said).toEndWith("for router")
  expect(lettersSaying(lost, NINE + 600_000)).toMatchObject({ tone: "good", head: "No internal message lost lately" })
  expect(stuckSaying(pictureOf(sampleHub())).head).toBe("Nothing is stuck")
  expect(stuckSaying(pictureOf(sampleHub(), { stuck: 3 })).head).toBe("3 pieces of work never ended")
})

test("what a restart means is said before it is done", () => {
  const picture = pictureOf(
    withActor(sampleHub([{ id: "t1" }, { id: "t2" }]), "router", { mailbox: { depth: 3, bound: 9, dropped: 0 } }),
  )
  expect(restartMeans(actorOf(picture, "drain"))).toEqual([
    "This stops it and starts it anew. Its siblings are not touched.",
  ])
  expect(restartMeans(actorOf(picture, "router"))[1]).toBe("3 messages waiting in its mailbox will not be handled.")
  expect(restartMeans(actorOf(picture, "channel:slack"))[1]).toBe("The 1 actor below it restarts too.")
  expect(restartMeans(actorOf(picture, "path"))[1]).toBe("The 13 actors below it restart too.")
  expect(restartMeans(actorOf(picture, "topics"))[1]).toBe(
    "The 2 actors below it stop with it and come back as they are needed.",
  )
})

test.each([
  [{ kind: "ok", body: null }, true, "It was stopped and runs anew."],
  [{ kind: "failed", status: 409, detail: "not_now: ask again" }, false, "Not restarted: ask again."],
  [
    { kind: "failed", status: 409, detail: "failed: it did not start (x)" },
    false,
    "Not restarted: it did not start (x).",
  ],
  [
    { kind: "failed", status: 403, detail: "it needs an admin of all" },
    false,
    "Not allowed: it needs an admin of all.",
  ],
  [{ kind: "failed", status: 404, detail: "no actor" }, false, "There is no such actor any more."],
  [{ kind: "failed", status: 503, detail: "starting" }, false, "The hub could not do it (503): starting"],
] as const)("the hub's answer to a restart is a sentence: %j", (answer, worked, said) => {
  expect(restartWords(answer)).toEqual({ worked, said })
})

test("without an answer nobody claims to know whether it was restarted", () => {
  expect(restartWords({ kind: "failed", status: 0, detail: "" }).said).toContain("is not known")
})

test("the root, and who is down with its supervisor, are not restarted from here", () => {
  const picture = pictureOf(sampleHub())
  expect(whyNoRestart(picture.tree, picture)).toContain("restart the hub’s process")
  expect(whyNoRestart({ ...actorOf(picture, "drain"), away: true }, picture)).toContain("restart that one")
  expect(whyNoRestart(actorOf(picture, "drain"), picture)).toBeNull()
})

test("ten times the same is one line with its times, newest first", () => {
  const at = new Date(2026, 0, 5, 14, 2, 11).getTime()
  const [x, y] = ["TypeError: x", "it took too long"]
  const moments = [
    [0, y],
    [1, x],
    [1, x],
    [2, x],
    [3, y],
  ] as const
  expect(
    folded(
      moments.map(([s, said]) => ({ at: at + s * 1_000, said })),
      at,
    ),
  ).toEqual([
    { said: y, times: "14:02:14" },
    { said: x, times: "14:02:13, 14:02:12 (2×)" },
    { said: y, times: "14:02:11" },
  ])
})

test("reasons, figures and times are for people", () => {
  const gaveUp = "shutdown: more than 5 restarts in 30000 ms, last of dispatcher:sms"
  expect(why("shutdown", gaveUp)).toBe("more than 5 restarts in 30 s, the last of dispatcher:sms")
  expect(why("error", "TypeError: x")).toBe("TypeError: x")
  expect(why("killed", null)).toBe("it did not stop in time and was abandoned")
  expect(why("some_new_reason", null)).toBe("some new reason")
  expect([0, 0.04, 4, 9.94, 12.4, 1_234].map(rate)).toEqual(["idle", "0.1/s", "4/s", "9.9/s", "12/s", "1,234/s"])
  expect([12, 4_200, 600_000, 9e6].map(duration)).toEqual(["12 ms", "4 s", "10 min", "2 h"])
  const now = new Date(2026, 0, 5, 14, 2, 11).getTime()
  expect(clock(now, now)).toBe("14:02:11")
  expect(clock(now, now + 86_400_000)).toBe("5 Jan, 14:02:11")
})

test("three crashes in ten seconds look like crashing, whatever state one happens to see", () => {
  const actor = actorOf(pictureOf(withActor(sampleHub(), "drain", { state: "starting" })), "drain")
  expect([0, 2, 3].map((lately) => LOOK_WORDS[lookOf(actor, lately)])).toEqual(["starting", "starting", "crashing"])
  expect(lookOf({ ...actor, away: true }, 3)).toBe("away")
})
