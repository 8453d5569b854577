import { expect, test } from "bun:test"
import { isSlacks, slackShows } from "./slack-answer.ts"

test.each([
  ["https://hooks.slack.com/actions/T1/2/abc", true],
  ["https://hooks.slack-gov.com/actions/T1/2/abc", true],
  ["http://hooks.slack.com/actions/T1", false],
  ["https://hooks.slack.com:8443/actions/T1", false],
  ["https://hooks.slack.com.evil.example/actions", false],
  ["https://user@hooks.slack.com/actions", false],
  ["https://evil.example/?hooks.slack.com", false],
  ["https://169.254.169.254/latest", false],
  ["http://127.0.0.1:9/actions", false],
  ["not a url", false],
  [`https://hooks.slack.com/${"a".repeat(2_000)}`, false],
])("an address to answer a press at is Slack's own: %s", (url, fits) => {
  expect(isSlacks(url, false)).toBe(fits)
})

test("what may be this machine in development is asked of nobody else, and a hang ends", async () => {
  expect(isSlacks("http://127.0.0.1:9/actions", true)).toBe(true)
  expect(isSlacks("http://10.0.0.1/actions", true)).toBe(false)
  const hangs = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => undefined) })
  const pressed = { responseUrl: hangs.url.href, user: "U1", message: null }
  const began = performance.now()
  expect(await slackShows({ loopback: true })(pressed, "acknowledged")).toBe(false)
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(await slackShows({ loopback: false })(pressed, "acknowledged")).toBe(false)
  await hangs.stop(true)
})
