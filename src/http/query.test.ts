import { expect, test } from "bun:test"
import { type Call, path, query } from "./route.ts"

const asked = (search: string): [string, string][] => {
  const call: Pick<Call, "request"> = { request: new Request(`http://hub/v1/events${search}`) }
  return [...query(call as Call)] // nothing else of the call is read
}

test("a parameter without a value is not there", () => {
  expect(asked("?type=&source=erp&since")).toEqual([["source", "erp"]])
  expect(asked("")).toEqual([])
})

test("what no stored text can hold fits nothing, instead of failing in the database", () => {
  expect(asked("?type=%00&source=a%00b&role=%ff")).toEqual([
    ["type", "\ufffd"],
    ["source", "a\ufffdb"],
    ["role", "\ufffd"],
  ])
})

test.each([
  ["http://hub/v1/events?type=x", "/v1/events"],
  ["http://:/v1/events", "/v1/events"],
  ["http://::/v1/e%20vents?a=b?c", "/v1/e%20vents"],
  ["http://hub", "/"],
])("the path of %s is %s, whatever host the sender has named", (url, expected) => {
  expect(path({ request: { url } as Request })).toBe(expected) // nothing else of the request is read
})
