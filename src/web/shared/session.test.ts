import { expect, test } from "bun:test"
import { readToken, tokenInFragment } from "./session.ts"

const token = (claims: object): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2lnbmF0dXJl`

test("a token says whose it is, in any script, and which roles it has", () => {
  expect(readToken(`  Bearer ${token({ sub: "ليلى", roles: ["admin", 7] })}\n`)).toEqual({
    kind: "session",
    session: { token: token({ sub: "ليلى", roles: ["admin", 7] }), person: "ليلى", roles: ["admin"] },
  })
  expect(readToken(token({ sub: "u1", role: "service" }))).toMatchObject({ session: { roles: ["service"] } })
})

test("a key, a torn token and one that names nobody are told apart in words, without being quoted", () => {
  const why = (text: string): string => {
    const reading = readToken(text)
    return reading.kind === "unreadable" ? reading.why : "taken"
  }
  expect(why("hub_secret_key")).toContain("API key has no inbox")
  for (const torn of [token({ sub: "u1" }).slice(0, 12).concat(".x"), "a.%%.c", token({ roles: [] }), token([1])]) {
    expect(why(torn)).toContain("names nobody")
    expect(why(torn)).not.toContain(torn)
  }
})

test("a token in the address's fragment is found among other words", () => {
  expect(tokenInFragment("#token=a.b.c")).toBe("a.b.c")
  expect(tokenInFragment("#x=1&token=a.b.c")).toBe("a.b.c")
  for (const none of ["", "#", "#token=", "#content"]) expect(tokenInFragment(none)).toBeNull()
})
