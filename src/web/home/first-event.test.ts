import { expect, test } from "bun:test"
import { curlLine } from "./first-event.ts"

test("the line to copy names its person, and no person's name can leave its quotes", () => {
  const line = curlLine("http://localhost:4000/v1/events", 'u1\'; echo "$HOME" #')
  expect(line).toStartWith("curl -X POST http://localhost:4000/v1/events -H ")
  const body = /-d '([^']*)'$/.exec(line)?.[1] ?? ""
  expect(JSON.parse(body).payload.owner_id).toBe('u1\'; echo "$HOME" #')
})
