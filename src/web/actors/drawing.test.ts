// What is drawn, and where.
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { Absent } from "./absent.ts"
import {
  fitted,
  fittingWidths,
  HEIGHT,
  type Layout,
  levelWidths,
  listLayout,
  sameLayout,
  treeLayout,
} from "./layout.ts"
import { type Actor, everybody, readPicture } from "./picture.ts"
import { NINE, type Sample, sampleHub, samplePicture, withActor } from "./sample.ts"
import { type Box, FEW, KEPT_MS, Shown } from "./shown.ts"

const fine = (): boolean => false
const measure = (name: string): number => name.length * 8

function actorOf(tree: Sample): Actor {
  const picture = readPicture(samplePicture(tree))
  if (picture === null) throw new Error("the sample is a picture")
  return picture.tree
}

const boxOf = (tree: Sample): Box => new Shown().boxes(actorOf(tree), NINE, fine)
const keysOf = (box: Box): string[] => [box.key, ...box.children.flatMap(keysOf)]
const topics = (count: number, state: (n: number) => string = () => "running"): Sample[] =>
  Array.from({ length: count }, (_, n) => ({ id: `t${String(n).padStart(3, "0")}`, state: state(n) }))

describe("which are drawn", () => {
  test("everybody, in the order in which the hub starts them", () => {
    const tree = sampleHub(topics(2))
    expect(keysOf(boxOf(tree))).toEqual([...everybody(actorOf(tree)).keys()])
  })

  test("a pool with many is a stack, with the unwell ones beside it", () => {
    const tree = sampleHub(topics(30, (n) => (n === 7 || n === 9 ? "backoff" : "running")))
    const keys = keysOf(boxOf(tree))
    expect(keys.filter((key) => key.startsWith("t"))).toEqual(["topics", "topics stack", "t007", "t009"])
  })

  test("of very many unwell ones five stand there, and the others are counted", () => {
    const box = boxOf(sampleHub(topics(30, () => "backoff")))
    const pool = box.children.find(({ key }) => key === "realtime")?.children[0]
    expect([pool?.children.length, pool?.children[0]?.more]).toEqual([6, 25])
  })

  test("a flapping child of a pool stays where it is for a while, and the stack stays a stack", () => {
    const shown = new Shown()
    const look = (tree: Sample, at: number): string[] => keysOf(shown.boxes(actorOf(tree), NINE + at, fine))
    const bad = look(sampleHub(topics(30, (n) => (n === 7 ? "backoff" : "running"))), 0)
    expect(look(sampleHub(topics(30)), KEPT_MS - 1)).toEqual(bad)
    const calm = look(sampleHub(topics(30)), KEPT_MS)
    expect(calm).not.toContain("t007")
    expect(look(sampleHub(topics(FEW)), KEPT_MS)).toEqual(calm)
  })

  test("the children of a small pool keep their order, whichever of them the hub names first", () => {
    expect(keysOf(boxOf(sampleHub(topics(FEW).toReversed())))).toEqual(keysOf(boxOf(sampleHub(topics(FEW)))))
  })

  test("who is below a supervisor that is down keeps the place, and is said to be down with it", () => {
    const absent = new Absent()
    const fill = (tree: Sample): Actor => {
      const picture = readPicture(samplePicture(tree))
      if (picture === null) throw new Error("the sample is a picture")
      return absent.fill(picture).tree
    }
    const hub = sampleHub()
    const whole = fill(hub)
    const { children: _, ...deliveries } = hub.children?.[2]?.children?.[0] ?? { id: "none" }
    const down = withActor(hub, "path", {
      children: [{ ...deliveries, state: "backoff" }, { id: "rules", type: "service" }, { id: "router" }],
    })
    for (let n = 0; n < 3; n++) {
      const drawn = fill(down)
      expect([...everybody(drawn).keys()]).toEqual([...everybody(whole).keys()])
      expect(everybody(drawn).get("dispatcher:slack")).toMatchObject({ away: true, state: "stopped" })
      expect(everybody(drawn).get("router")?.away).toBe(false)
    }
    expect(everybody(fill(hub)).get("dispatcher:slack")?.away).toBe(false)
    const fewer = withActor(hub, "deliveries", { children: [{ id: "drain" }] })
    expect(everybody(fill(fewer)).has("dispatcher:slack")).toBe(false)
  })
})

test("a name that is too long keeps its beginning and its end", () => {
  expect(fitted("topic resources:business-17", 400, measure)).toBe("topic resources:business-17")
  const cut = fitted("topic resources:business-17", 190, measure)
  expect(cut).toBe("topic …business-17")
  expect(measure(cut)).toBeLessThanOrEqual(190 - 40)
})

describe("where they stand", () => {
  const tree = fc.letrec<{ node: Sample }>((tie) => ({
    node: fc.record({
      id: fc.uuid(),
      type: fc.constant("supervisor" as const),
      children: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie("node"), { maxLength: 4 })),
    }),
  })).node
  const overlaps = (layout: Layout): boolean =>
    layout.places.some((a, n) =>
      layout.places
        .slice(n + 1)
        .some((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + HEIGHT && b.y < a.y + HEIGHT),
    )

  test("nobody covers anybody, children stand right of their parent and in order, a line leads to each", () => {
    fc.assert(
      fc.property(tree, (sample) => {
        const box = boxOf(sample)
        const wide = treeLayout(box, levelWidths(box, [], measure))
        for (const layout of [wide, listLayout(box, 358)]) {
          expect(overlaps(layout)).toBe(false)
          expect(layout.lines.length).toBe(layout.places.length - 1)
          expect(layout.places.map(({ key }) => key)).toEqual(keysOf(box))
          for (const place of layout.places) {
            const parent = layout.places.find(({ key }) => key === place.parent)
            if (parent !== undefined) expect(place.x).toBeGreaterThan(parent.x)
            expect(place.x + place.width).toBeLessThanOrEqual(layout.width)
            expect(place.y + place.height).toBeLessThanOrEqual(layout.height)
          }
        }
        for (const place of wide.places) {
          const ys = wide.places.filter(({ parent }) => parent === place.key).map(({ y }) => y)
          if (ys.length > 0) expect(place.y).toBeCloseTo((Math.min(...ys) + Math.max(...ys)) / 2)
        }
      }),
    )
  })

  test("states, figures and restarts move nothing", () => {
    const shown = new Shown()
    const layoutOf = (sample: Sample): Layout => {
      const box = shown.boxes(actorOf(sample), NINE, fine)
      return treeLayout(box, levelWidths(box, [], measure))
    }
    const hub = sampleHub(topics(3))
    const before = layoutOf(hub)
    const change = { state: "backoff", restarts: 900, incarnation: 901 }
    const full = { ...change, handled: 5, mailbox: { depth: 999, bound: 1_000, dropped: 7 } }
    for (const changed of [
      withActor(hub, "path", change),
      withActor(hub, "router", full),
      withActor(hub, "t001", full),
    ])
      expect(sameLayout(before, layoutOf(changed))).toBe(true)
    expect(sameLayout(before, layoutOf(sampleHub(topics(2))))).toBe(false)
  })

  test("columns are as wide as their names want, never narrower again, and a pool's children do not widen them", () => {
    const long = withActor(sampleHub(), "router", { name: "a-router-with-a-long-name" })
    const [hub, wider] = [boxOf(sampleHub()), boxOf(long)]
    const widths = levelWidths(hub, [], measure)
    expect(levelWidths(wider, widths, measure)[2]).toBeGreaterThan(widths[2] ?? 0)
    expect(levelWidths(hub, levelWidths(wider, widths, measure), measure)).toEqual(levelWidths(wider, widths, measure))
    const named = boxOf(sampleHub([{ id: "t", name: "topic with a name that is longer than all the others are" }]))
    expect(levelWidths(named, [], measure)).toEqual(widths)
  })
  test("columns never stand out of the room there is: the widest are cut alike, and where that is not enough a list stands", () => {
    const long = withActor(sampleHub(), "nats", { name: "embedded-postgres-of-this-hub" })
    const box = boxOf(long)
    const widths = levelWidths(box, [], measure)
    const whole = treeLayout(box, widths).width
    expect(fittingWidths(widths, whole)).toEqual(widths)
    let least = whole
    for (let room = whole; room >= 0; room--) {
      const cut = fittingWidths(widths, room)
      if (cut === null) continue
      least = room
      expect(treeLayout(box, cut).width).toBeLessThanOrEqual(room)
      const narrowed = cut.filter((width, level) => width !== widths[level])
      expect(new Set(narrowed).size).toBeLessThanOrEqual(1)
      expect(Math.max(...cut)).toBe(narrowed[0] ?? Math.max(...widths))
    }
    expect(least).toBeLessThan(whole - 60)
    expect(fittingWidths(widths, least - 1)).toBeNull()
  })
})
