import { expect, test } from "bun:test"
import { looksLikeSession, sessionTokens } from "./longpoll-token.ts"

const DAY_MS = 24 * 60 * 60 * 1_000

test("a session's token is good for two weeks, and on all nodes of one secret", () => {
  const [tokens, neighbour, others] = [sessionTokens("a", "s"), sessionTokens("b", "s"), sessionTokens("a", null)]
  const { id, token } = tokens.issue(5_000.7)
  const named = { node: "a", id }
  expect(looksLikeSession(token)).toBe(true)
  expect([tokens.read(token, 5_001), neighbour.read(token, 5_000 + 14 * DAY_MS - 1)]).toEqual([named, named])
  expect([tokens.read(token, 5_001 + 14 * DAY_MS), others.read(token, 5_001)]).toEqual([null, null])
})

test("one that was changed anywhere, or is something else, is none", () => {
  const tokens = sessionTokens(crypto.randomUUID(), null)
  const { token } = tokens.issue(0)
  for (let at = 0; at < token.length; at++) {
    const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`
    // The last character of base64 carries bits that say nothing.
    if (at === token.length - 1) continue
    expect([at, tokens.read(changed, 1)]).toEqual([at, null])
  }
  for (const other of ["", "bad", "lp1.", "lp1...", "lp1.a.b.c", `${token}.`, token.repeat(3), token.slice(0, -1)])
    expect([other, tokens.read(other, 1)]).toEqual([other, null])
})
