import { expect, test } from "bun:test"
import fc from "fast-check"
import { Absent } from "./absent.ts"
import { type Episode, Episodes, QUIET_MS } from "./episodes.ts"
import { type Picture, readPicture } from "./picture.ts"
import { NINE, type Sample, type SampleOptions, sampleHub, samplePicture, withActor } from "./sample.ts"
import { episodeWords } from "./words.ts"

const SLACK = "dispatcher:slack"
const hub = sampleHub()

function pictureOf(tree: Sample, options: SampleOptions = {}): Picture {
  const picture = readPicture(samplePicture(tree, options))
  if (picture === null) throw new Error("the sample is a picture")
  return picture
}

const crash = (at: number, detail = "TypeError: x") => ({ at: new Date(at).toISOString(), reason: "error", detail })
const slack = (restarts: number, more: Partial<Sample> = {}): Sample =>
  withActor(hub, SLACK, { restarts, incarnation: restarts + 1, recent_restarts: [crash(NINE)], ...more })
const said = (episodes: Episodes): string[] =>
  episodes.list().map((episode: Episode) => `${episode.name} ${episodeWords(episode)}`)

test("a crash is one line, and whoever crashed is named to be flashed", () => {
  const episodes = new Episodes()
  expect(episodes.took(pictureOf(hub))).toEqual([])
  expect(episodes.took(pictureOf(slack(1), { at: NINE + 250 }))).toEqual([SLACK])
  expect(said(episodes)).toEqual(["dispatcher:slack crashed"])
  expect(episodes.list()[0]).toMatchObject({ what: "crashed", count: 1, detail: "TypeError: x", well: true })
})

test("a storm is one line that counts the last ten seconds and all", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  const look = (n: number): readonly string[] => episodes.took(pictureOf(slack((n + 1) * 25), { at: NINE + n * 250 }))
  for (let n = 0; n < 36; n++) look(n)
  expect(said(episodes)).toEqual(["dispatcher:slack crashed 900 times in the last 10 s"])
  for (let n = 36; n < 240; n++) look(n)
  expect(episodes.lately(SLACK)).toBeWithin(900, 1_001)
  expect(said(episodes)).toEqual([
    `dispatcher:slack crashed ${episodes.lately(SLACK).toLocaleString("en")} times in the last 10 s, 6,000 in all`,
  ])
})

test("ten quiet seconds end an episode, and the next crash begins another", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  episodes.took(pictureOf(slack(2), { at: NINE }))
  episodes.pass(NINE + QUIET_MS - 1)
  expect(episodes.list()[0]?.over).toBe(false)
  episodes.pass(NINE + QUIET_MS)
  expect(episodes.list()[0]?.over).toBe(true)
  expect(episodes.lately(SLACK)).toBe(0)
  episodes.took(pictureOf(slack(3), { at: NINE + 20_000 }))
  expect(said(episodes)).toEqual(["dispatcher:slack crashed", "dispatcher:slack crashed 2 times over 1 s"])
})

test("who waits to be started again is still in the same episode, however long that takes", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  episodes.took(pictureOf(slack(1, { state: "backoff" }), { at: NINE }))
  episodes.took(pictureOf(slack(1, { state: "backoff" }), { at: NINE + 30_000 }))
  expect(episodes.list()).toMatchObject([{ over: false, well: false, count: 1 }])
  episodes.took(pictureOf(slack(2), { at: NINE + 31_000 }))
  expect(episodes.list()).toMatchObject([{ over: false, well: true, count: 2 }])
})

test("an end without a counted restart, and a start by hand, are lines too", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  episodes.took(pictureOf(withActor(withActor(hub, SLACK, { state: "stopped" }), "router", { incarnation: 2 })))
  expect(said(episodes).toSorted()).toEqual(["dispatcher:slack is down", "router was started anew"])
})

test("a supervisor that was started anew is one line, not one for each below it", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  const anew = withActor(withActor(hub, "channel:slack", { incarnation: 2 }), SLACK, { incarnation: 2 })
  episodes.took(pictureOf(anew, { at: NINE + 250 }))
  expect(said(episodes)).toEqual(["channel:slack was started anew"])
})

test("the crashes below a supervisor that gave up are counted over its lives, and none twice", () => {
  const [episodes, absent] = [new Episodes(), new Absent()]
  const look = (tree: Sample, at: number) => episodes.took(absent.fill(pictureOf(tree, { at })))
  look(hub, NINE)
  look(slack(3), NINE + 250)
  const down: Partial<Sample> = { state: "backoff", restarts: 1, recent_restarts: [crash(NINE + 400)] }
  const { children: _, ...channel } = { id: "channel:slack", type: "supervisor" as const, ...down }
  const without = withActor(hub, "deliveries", {
    children: (hub.children?.[2]?.children?.[0]?.children ?? []).map((c) => (c.id === channel.id ? channel : c)),
  })
  look(without, NINE + 500)
  look(without, NINE + 5_000)
  // Three crashes were seen, one more ended the first life, two the second one has had.
  const back = withActor(slack(2, { incarnation: 8 }), "channel:slack", { restarts: 1, incarnation: 2 })
  look(back, NINE + 6_000)
  expect(episodes.list().map(({ id, count }) => [id, count])).toEqual([
    ["channel:slack", 1],
    [SLACK, 6],
  ])
})

test("what the hub remembers from before is folded the same way", () => {
  const episodes = new Episodes()
  const recent_restarts = [-600_000, -599_000, -598_000, -60_000].map((ago) => crash(NINE + ago))
  episodes.took(pictureOf(withActor(hub, SLACK, { restarts: 40, recent_restarts })))
  expect(said(episodes)).toEqual(["dispatcher:slack crashed", "dispatcher:slack crashed 3 times over 2 s"])
  expect(episodes.list().every(({ over }) => over)).toBe(true)
})

test("another node is another story", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(slack(900)))
  expect(episodes.took(pictureOf(slack(901), { node: "hubbub-9f" }))).toEqual([])
  expect(episodes.list()).toMatchObject([{ count: 1 }])
})

test("after a gap in the pictures a storm is not held to have happened in its last moment", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  episodes.took(pictureOf(slack(6_000), { at: NINE + 600_000 }))
  expect(said(episodes)).toEqual(["dispatcher:slack crashed 100 times in the last 10 s, 6,000 in all"])
})

test("after a week of crashes sixty lines are left, the newest ones, and whoever is still down keeps theirs", () => {
  const episodes = new Episodes()
  episodes.took(pictureOf(hub))
  const down = withActor(hub, "router", { state: "backoff" })
  for (let n = 1; n <= 200; n++) {
    const tree = withActor(down, SLACK, { restarts: n, incarnation: n + 1, recent_restarts: [crash(NINE)] })
    episodes.took(pictureOf(tree, { at: NINE + n * 60_000 }))
  }
  const list = episodes.list()
  expect(list.length).toBe(60)
  expect(list[0]?.from).toBe(NINE + 200 * 60_000)
  expect(list.at(-1)).toMatchObject({ id: "router", over: false })
})

test("whatever comes, every restart is counted once, lines keep their order, and there are never too many", () => {
  const step = fc.record({
    who: fc.constantFrom("router", "rescuer", "drain", SLACK, "dispatcher:sms"),
    crashes: fc.nat(4),
    pause: fc.nat(15_000),
    state: fc.constantFrom("running", "backoff", "starting"),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const episodes = new Episodes()
      episodes.took(pictureOf(hub))
      let tree = hub
      let at = NINE
      const restarts = new Map<string, number>()
      let before: string[] = []
      for (const { who, crashes, pause, state } of steps) {
        const now = (restarts.get(who) ?? 0) + crashes
        restarts.set(who, now)
        tree = withActor(tree, who, { restarts: now, incarnation: now + 1, state, recent_restarts: [crash(at)] })
        at += pause
        episodes.took(pictureOf(tree, { at }))
        const list = episodes.list()
        expect(list.length).toBeLessThanOrEqual(60)
        const keys = list.map(({ key }) => key)
        expect(keys.filter((key) => before.includes(key))).toEqual(before.filter((key) => keys.includes(key)))
        before = keys
      }
      const list = episodes.list()
      if (list.length === 60) return
      for (const [id, count] of restarts) {
        const told = list.filter((episode) => episode.id === id).reduce((sum, episode) => sum + episode.count, 0)
        expect(told).toBe(count)
      }
    }),
    { numRuns: 60 },
  )
})
