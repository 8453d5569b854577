import { describe, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Grant, Tenancy } from "../domain/principal.ts"
import { resourceStream } from "../domain/stream.ts"
import { resolveResourceTopic } from "./resource-view.ts"

const grant = (business: string, locations: readonly string[] | null): Grant => ({
  // Ids that fit the pattern, written by hand.
  business: business as BusinessId,
  locations: locations as readonly LocationId[] | null,
})
const answer = (tenancy: Tenancy, topic: string): string => {
  const resolved = resolveResourceTopic(tenancy, topic)
  return resolved.kind === "view" ? resolved.view.streams.join(" ") : resolved.kind
}

describe("a resources topic means what the caller's own grants spell", () => {
  const cases: readonly (readonly [title: string, tenancy: Tenancy, topic: string, means: string])[] = [
    ["a pair in its hyphenated form", [grant("b1", ["l1"])], "resources:b1-l1", "resources:b1:l1"],
    ["a pair in its colon form", [grant("b1", ["l1"])], "resources:b1:l1", "resources:b1:l1"],
    ["another location of the business", [grant("b1", ["l1"])], "resources:b1-l2", "unauthorized"],
    ["another business", [grant("b1", null)], "resources:b2-l1", "unauthorized"],
    ["the business, with all locations", [grant("b1", null)], "resources:b1", "resources:b1"],
    ["the business, with some locations only", [grant("b1", ["l1"])], "resources:b1", "unauthorized"],
    ["a location whose id holds hyphens", [grant("al", null)], "resources:al-noor-karkh", "resources:al:noor-karkh"],
    [
      "two businesses that spell it",
      [grant("al", null), grant("al-noor", null)],
      "resources:al-noor-karkh",
      "ambiguous_topic",
    ],
    [
      "the same in the colon form",
      [grant("al", null), grant("al-noor", null)],
      "resources:al-noor:karkh",
      "resources:al-noor:karkh",
    ],
    [
      "a business that spells like a pair",
      [grant("al", null), grant("al-noor", null)],
      "resources:al-noor",
      "ambiguous_topic",
    ],
    ["a business that holds a hyphen, alone", [grant("al-noor", null)], "resources:al-noor", "resources:al-noor"],
    ["one pair named twice", [grant("b1", ["l1", "l1"]), grant("b1", ["l1"])], "resources:b1-l1", "resources:b1:l1"],
    ["a location that is no id", [grant("b1", null)], "resources:b1-l 1", "unauthorized"],
    ["an empty location", [grant("b1", null)], "resources:b1-", "unauthorized"],
    ["a wildcard", [grant("b1", null)], "resources:*", "unauthorized"],
    ["no grants at all", [], "resources:b1", "unauthorized"],
    ["a longer spelling of an allowed one", [grant("b1", ["l1"])], "resources:b1-l1 ", "unauthorized"],
  ]
  for (const [title, tenancy, topic, means] of cases) {
    test(`${title}: ${means}`, () => expect(answer(tenancy, topic)).toBe(means))
  }

  test("a caller without limits gets every pair that spells the string, and the business", () => {
    expect(answer("*", "resources:a-b-c")).toBe("resources:a-b-c resources:a:b-c resources:a-b:c")
    expect(answer("*", "resources:a:b-c")).toBe("resources:a:b-c")
    expect(answer("*", "resources:a")).toBe("resources:a")
    expect(answer("*", `resources:${"-".repeat(5_000)}`)).toBe("unauthorized")
  })

  test("both spellings of a pair are one view", () => {
    const tenancy = [grant("b1", ["l1"])]
    const [hyphen, colon] = ["resources:b1-l1", "resources:b1:l1"].map((topic) => resolveResourceTopic(tenancy, topic))
    if (hyphen?.kind !== "view" || colon?.kind !== "view") throw new Error("both are allowed")
    expect(hyphen.view).toEqual(colon.view)
    expect(hyphen.view.id).toBe(resourceStream("b1" as BusinessId, "l1" as LocationId))
    expect([hyphen.form, colon.form]).toEqual(["hyphen", "colon"])
  })
})
