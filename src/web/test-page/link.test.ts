import { expect, test } from "bun:test"
import { type Linked, placeTopic, readLink, readTopic, writeLink } from "./link.ts"

const plain = { transport: "websocket", version: "2.0.0" } as const

test("what is watched, and how, is read back from the address", () => {
  const wanted = [
    placeTopic("business-123", "location-456", false),
    placeTopic("al-noor", "karkh", true),
    placeTopic("b1", "", false),
    { topic: "notifications:ann@example.com", place: null },
    { topic: "odd topic&x=#1", place: null },
  ]
  for (const linked of [
    { wanted, ...plain },
    { wanted: [], transport: "longpoll", version: "2.0.0" },
    { wanted: [], transport: "websocket", version: "1.0.0" },
  ] satisfies Linked[])
    expect(readLink(writeLink(linked))).toEqual(linked)
  expect(writeLink({ wanted: [], ...plain })).toBe("")
  expect(writeLink({ wanted: wanted.slice(1, 4), ...plain })).toBe(
    "#place=al-noor/karkh/colon&place=b1&topic=notifications:ann@example.com",
  )
})

test("an address of somebody else's making adds no topic twice, none without end, and never version 1 to polling", () => {
  const many = Array.from({ length: 300 }, (_, at) => `topic=t${at}`).join("&")
  expect(readLink(`#${many}`).wanted).toHaveLength(100)
  const odd = readLink("#topic=a&topic=a&topic=&place=b/<c>&place=%00&name=x&token=t")
  expect(odd.wanted).toEqual([{ topic: "a", place: null }])
  expect(readLink("#transport=longpoll&vsn=1.0.0")).toEqual({ wanted: [], transport: "longpoll", version: "2.0.0" })
})

test("the colon form tells its place, the hyphen form and other topics do not", () => {
  expect(readTopic(" resources:a:b-c ")).toEqual(placeTopic("a", "b-c", true))
  for (const topic of ["resources:a-b", "chat:a:b", "resources:a:b:c"])
    expect(readTopic(topic)).toEqual({ topic, place: null })
  expect(readTopic("  ")).toBeNull()
})
