import { describe, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Tenancy } from "../domain/principal.ts"
import type { ActorInfo } from "../runtime/child-spec.ts"
import type { ExitReason } from "../runtime/exit.ts"
import { isShownAs, shownId, shownName, sightOf } from "./actor-sight.ts"
import { type ActorLine, actorTree, type SeenTree } from "./actor-tree.ts"
import { mostUrgent } from "./actor-urgency.ts"

const at = new Date("2026-01-05T09:00:00.000Z")
const failed = (text: string, second = 0) => ({
  at: new Date(at.getTime() + second * 1_000),
  reason: { kind: "error", error: new TypeError(text) } as const,
})

function leaf(id: string, more: Partial<ActorInfo> = {}): ActorInfo {
  return {
    id,
    kind: "worker",
    type: "actor",
    state: "running",
    significant: false,
    incarnation: 1,
    restarts: 0,
    recentRestarts: [],
    mailbox: { depth: 0, bound: 10, dropped: 0 },
    handled: 0,
    ...more,
  }
}
function above(type: "supervisor" | "pool", id: string, children: readonly ActorInfo[]): ActorInfo {
  const { mailbox: _, handled: __, ...rest } = leaf(id, { kind: type, type })
  return { ...rest, children }
}
const seen = (root: ActorInfo, more: Partial<SeenTree> = {}): SeenTree => ({
  root,
  stuck: 0,
  deadLetters: 0,
  recentDeadLetters: [],
  ...more,
})
const grant = (business: string, ...locations: string[]) => ({
  business: business as BusinessId,
  locations: locations.length === 0 ? null : (locations as LocationId[]),
})
const show = (tree: SeenTree, tenancy: Tenancy = "*") => actorTree(tree, { node: "n1", at, sight: sightOf(tenancy) })
const linesOf = (line: ActorLine): ActorLine[] => [line, ...(line.children ?? []).flatMap(linesOf)]

const TOPICS = [
  "topic resources:b1",
  "topic resources:b1:l1",
  "topic resources:b1:l2",
  "topic resources:b2:l1",
  "topic spelled resources:b1-l1",
  "topic notifications:#1a2b",
]

describe("the tree as JSON", () => {
  test("says of every part what it is, how it is, and why it was restarted", () => {
    const router = leaf("router", {
      kind: "router",
      incarnation: 3,
      handled: 12,
      handlerAgeMs: 3.149,
      mailbox: { depth: 2, bound: 1_000, dropped: 1 },
      restarts: 2,
      recentRestarts: [failed("x is undefined"), { at, reason: { kind: "killed" } }],
    })
    const letter = { at, to: "router", kind: "router", why: "overflow", message: "poll" } as const
    const tree = show(
      seen(above("supervisor", "hub", [router]), { stuck: 1, deadLetters: 4, recentDeadLetters: [letter] }),
    )
    expect(tree).toEqual({
      node: "n1",
      at: "2026-01-05T09:00:00.000Z",
      stuck: 1,
      dead_letters: { count: 4, recent: [{ ...letter, at: "2026-01-05T09:00:00.000Z" }] },
      tree: {
        id: "hub",
        name: "hub",
        kind: "supervisor",
        type: "supervisor",
        state: "running",
        incarnation: 1,
        mailbox: null,
        handled: null,
        handler_age_ms: null,
        restarts: 0,
        recent_restarts: [],
        children_count: 1,
        children_states: { running: 1 },
        children: [
          {
            id: "router",
            name: "router",
            kind: "router",
            type: "actor",
            state: "running",
            incarnation: 3,
            mailbox: { depth: 2, bound: 1_000, dropped: 1 },
            handled: 12,
            handler_age_ms: 3.1,
            restarts: 2,
            recent_restarts: [
              { at: "2026-01-05T09:00:00.000Z", reason: "error", detail: "TypeError: x is undefined" },
              { at: "2026-01-05T09:00:00.000Z", reason: "killed", detail: null },
            ],
            children: null,
            children_count: null,
            children_states: null,
          },
        ],
      },
    })
    expect(JSON.parse(JSON.stringify(tree))).toEqual(tree)
  })

  test("shows the last ten restarts, newest last; in a pool the last three", () => {
    const recentRestarts = Array.from({ length: 12 }, (_, n) => failed(`no. ${n}`, n))
    const busy = { restarts: 12, recentRestarts }
    const { tree } = show(seen(above("supervisor", "hub", [leaf("a", busy), above("pool", "p", [leaf("b", busy)])])))
    const details = (id: string) =>
      linesOf(tree)
        .find((line) => line.id === id)
        ?.recent_restarts.map(({ detail }) => detail)
    expect(details("a")).toHaveLength(10)
    expect(details("a")?.at(-1)).toBe("TypeError: no. 11")
    expect(details("b")).toEqual(["TypeError: no. 9", "TypeError: no. 10", "TypeError: no. 11"])
  })

  test("says why a supervisor gave up", () => {
    const reason = { kind: "shutdown", detail: "more than 5 restarts in 30000 ms, last of x" } as const
    const { tree } = show(seen({ ...above("supervisor", "hub", []), recentRestarts: [{ at, reason }] }))
    expect(tree.recent_restarts).toMatchObject([{ reason: "shutdown", detail: `shutdown: ${reason.detail}` }])
  })
})

describe("of a pool", () => {
  test("fifty are shown and all are counted, in every state", () => {
    const many = Array.from({ length: 10_000 }, (_, n) => leaf(`w${n}`, n === 7_000 ? { state: "backoff" } : {}))
    const { tree } = show(seen(above("supervisor", "hub", [above("pool", "p", many)])))
    const [pool] = tree.children ?? []
    expect(pool?.children).toHaveLength(50)
    expect(pool?.children?.[0]).toMatchObject({ id: "w7000", state: "backoff" })
    expect(pool).toMatchObject({ children_count: 10_000, children_states: { running: 9_999, backoff: 1 } })
  })

  test("those not running come first, then long handlers, then the last that crashed, then the busiest", () => {
    const order = [
      leaf("waits", { state: "backoff" }),
      leaf("long", { handlerAgeMs: 5_000 }),
      leaf("crashed-later", { recentRestarts: [failed("x", 9)] }),
      leaf("crashed", { recentRestarts: [failed("x", 1)] }),
      leaf("deep", { mailbox: { depth: 9, bound: 10, dropped: 0 } }),
      leaf("busy", { handled: 9 }),
      leaf("idle"),
    ]
    for (const given of [order, order.toReversed()])
      expect(mostUrgent(given, 6).map(({ id }) => id)).toEqual(order.slice(0, 6).map(({ id }) => id))
    expect(mostUrgent(order, 0)).toEqual([])
  })

  test("pools in pools, and supervisors without end, make no more than 400 lines", () => {
    const pools = Array.from({ length: 60 }, (_, n) =>
      above(
        "pool",
        `p${n}`,
        Array.from({ length: 60 }, (__, m) => leaf(`w${n}.${m}`)),
      ),
    )
    const { tree } = show(seen(above("supervisor", "hub", pools)))
    expect(linesOf(tree)).toHaveLength(400)
    // What is above is shown before what is below.
    expect(tree.children).toHaveLength(60)
  })
})

describe("a caller", () => {
  const detailed = leaf("dispatcher:email", { recentRestarts: [failed("b2 has no sender")] })
  const topics = TOPICS.map((id) => leaf(id, { kind: "topic", recentRestarts: [failed("gap")] }))
  const letters = ["router", "dispatcher:email", ...TOPICS].map(
    (to) => ({ at, to, kind: undefined, why: "exit", message: undefined }) as const,
  )
  const tree = seen(above("supervisor", "hub", [detailed, above("pool", "topics", topics)]), {
    deadLetters: 8,
    recentDeadLetters: letters,
  })
  const cases: readonly [string, Tenancy, readonly string[]][] = [
    ["without limits", "*", TOPICS],
    ["of a business", [grant("b1")], TOPICS.slice(0, 3)],
    ["of two businesses", [grant("b1"), grant("b2")], TOPICS.slice(0, 4)],
    ["of a location", [grant("b1", "l2")], ["topic resources:b1:l2"]],
    ["of another business", [grant("b9")], []],
    ["of nothing", [], []],
  ]
  test.each(cases)("%s sees the topics of that tenancy, and how many there are", (_, tenancy, visible) => {
    const shown = show(tree, tenancy)
    const pool = linesOf(shown.tree).find(({ id }) => id === "topics")
    expect(pool?.children?.map(({ id }) => id)).toEqual([...visible])
    expect(pool).toMatchObject({ children_count: TOPICS.length, children_states: { running: TOPICS.length } })
    const known = tenancy === "*" ? ["router", "dispatcher:email"] : ["dispatcher:email"]
    expect(shown.dead_letters.recent.map(({ to }) => to)).toEqual([...known, ...visible])
    expect(shown.dead_letters.count).toBe(8)
  })

  test("of a business is shown nobody else's actors below one of theirs that holds some", () => {
    const lower = above("supervisor", "topic resources:b1:l2", [leaf("topic resources:b2"), leaf("topic resources:b1")])
    const held = above("supervisor", "topic resources:b1:l1", [leaf("topic resources:b1:l1:feed"), lower])
    const pooled = seen(above("supervisor", "hub", [above("pool", "topics", [held])]), {
      deadLetters: 1,
      recentDeadLetters: [{ at, to: "topic resources:b2", kind: undefined, why: "exit", message: undefined }],
    })
    const shown = show(pooled, [grant("b1")])
    expect(linesOf(shown.tree).map(({ id }) => id)).toEqual(["hub", "topics", held.id, lower.id, "topic resources:b1"])
    expect(shown.dead_letters.recent).toEqual([])
  })

  test.each([
    "topic resources:",
    "topic resources::l1",
    "topic resources:b1:l1:l1",
    "topic resources:b1-l1",
    "topic resources:b11",
    "resources:b1",
    " topic resources:b1",
    "topic spelled resources:b1",
    "topic notifications:b1",
    "",
  ])("of a business owns nothing that is called %p", (id) => {
    expect(sightOf([grant("b1")]).owns(id)).toBe(false)
  })

  test("who is confined reads the errors of their own topics, not those of shared parts", () => {
    const details = (tenancy: Tenancy) =>
      linesOf(show(tree, tenancy).tree).flatMap((line) => line.recent_restarts.map(({ detail }) => [line.id, detail]))
    expect(details("*")).toContainEqual(["dispatcher:email", "TypeError: b2 has no sender"])
    expect(details([grant("b1", "l1")])).toEqual([
      ["dispatcher:email", null],
      ["topic resources:b1:l1", "TypeError: gap"],
    ])
  })

  test("has the sight of all who may see the same, and of nobody else", () => {
    const same = [
      [grant("b1", "l1", "l2"), grant("b2")],
      [grant("b2"), grant("b1", "l2", "l1")],
    ]
    expect(new Set(same.map((tenancy) => sightOf(tenancy).key)).size).toBe(1)
    const others: Tenancy[] = [
      "*",
      [],
      [grant("b1")],
      [grant("b1", "l1")],
      [grant("b1,b2")],
      [grant("b1"), grant("b2")],
    ]
    expect(new Set(others.map((tenancy) => sightOf(tenancy).key)).size).toBe(others.length)
    expect(sightOf([grant("secret-business")]).key).not.toContain("secret")
  })
})

describe("a name", () => {
  test.each([
    ["router", "router"],
    ["dispatcher:email", "dispatcher:email"],
    ["topic resources:b1:l1", "topic resources:b1:l1"],
    ["topic notifications:#1a2b", "topic notifications:#1a2b"],
    ["topic notifications:ann", "topic notifications:«person»"],
    ["topic notifications:ann@example.com in b1", "topic notifications:«person»"],
    ["chat with ann@example.com", "chat with «e-mail»"],
  ])("%p is shown as %p", (id, name) => {
    expect<string>(shownName(id)).toBe(name)
    if (id === name) expect(shownId(id)).toBe(id)
    else expect(shownId(id)).toMatch(/^~[0-9a-f]{16}$/)
    expect(isShownAs(id, shownId(id))).toBe(true)
    expect(isShownAs(id, "other")).toBe(false)
    // Nobody finds out by asking whether a person is here.
    if (id !== name) expect(isShownAs(id, id)).toBe(false)
  })

  test("that looks like the hash of another is hashed itself, so that it cannot stand in for that one", () => {
    const hash = shownId("topic notifications:ann")
    expect(shownId(hash)).toMatch(/^~[0-9a-f]{16}$/)
    expect(shownId(hash)).not.toBe(hash)
    expect(isShownAs(hash, hash)).toBe(false)
  })

  test("nothing of an error that names a person or a secret is shown", () => {
    const error = new Error("canary@example.com refused, token=hunter2", { cause: new Error("call +41 44 668 18 00") })
    const reasons: readonly ExitReason[] = [
      { kind: "error", error },
      { kind: "failed_to_start", child: "canary@example.com", cause: { kind: "error", error } },
      { kind: "noproc", id: "chat with canary@example.com" },
      { kind: "shutdown", detail: "last of canary@example.com" },
    ]
    const root = leaf("chat with canary@example.com", { recentRestarts: reasons.map((reason) => ({ at, reason })) })
    const letter = { at, to: root.id, kind: undefined, why: "exit", message: "canary@example.com" } as const
    const text = JSON.stringify(show(seen(root, { recentDeadLetters: [letter] })))
    expect(text).not.toMatch(/canary|hunter2|668/)
    expect(text).toContain("«e-mail»")
  })
})
