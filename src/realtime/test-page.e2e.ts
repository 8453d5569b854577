// The test page in a real browser, against a real room: topics, and how they come back.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { shot } from "../testing/browser.ts"
import { cardOf, inState, startTestPage, type TestPageWorld } from "../testing/test-page.ts"

setDefaultTimeout(30_000)

let world: TestPageWorld
beforeAll(async () => {
  world = await startTestPage()
}, 60_000)
afterAll(() => world.stop(), 60_000)

const PLACE = "resources:business-123-location-456"

test("one connects, sends a sample and sees it arrive; the line breaks, and what was missed comes back, in words", async () => {
  const page = await world.open()
  await shot(page, "test-page-1-empty")
  await page.getByLabel("Business").fill("business-123")
  await page.getByLabel("Location").fill("location-456")
  await page.keyboard.press("Enter")
  await inState(page, PLACE, "joined")
  const card = cardOf(page, PLACE)
  await card.getByText("Nothing yet.").waitFor()

  await page.getByLabel("Service key").fill("wrong")
  await card.getByText("Send a sample").click()
  await card.getByRole("button", { name: "Send to this place" }).click()
  await card.getByText("no key or token that the hub knows").waitFor()
  await page.getByLabel("Service key").fill("a-service-key")
  await card.getByRole("button", { name: "Send to this place" }).click()
  await card.getByText("Accepted.").waitFor()
  const first = card.locator(".messages li").first()
  await first.getByText("updated reservation resource-789").waitFor()
  await first.getByText("#1").waitFor()
  await first.locator("summary").click()
  expect(await first.locator("pre").textContent()).toContain('"shardId": "shard-001"')

  world.door(false)
  await page.getByLabel("Come back").selectOption("at once")
  await page.getByRole("button", { name: "Break the line" }).click()
  await page.getByText("The hub does not let this connection in").waitFor()
  await inState(page, PLACE, "errored")
  await shot(page, "test-page-6-lost")
  world.happen("business-123", "location-456", { type: "resource_deleted", resourceId: "r8" })
  world.happen("business-123", "location-456", { type: "resource_deleted", resourceId: "r9" })
  world.door(true)
  await card.locator(".comeback", { hasText: /^Back after .*s: 2 messages recovered, offsets 2–3\.$/ }).waitFor()
  await page.locator("#news", { hasText: "2 messages recovered" }).waitFor({ state: "attached" })
  expect(await card.locator(".messages li.missed").count()).toBe(2)
  expect(await card.locator(".facts .offset").textContent()).toBe("3")
  await page.close()
})

test("several topics stand side by side, each with its own state, and one that leaves and joins again recovers alone", async () => {
  const page = await world.open("#place=b1/l1&place=b1/l2&topic=resources:b2")
  for (const topic of ["resources:b1-l1", "resources:b1-l2", "resources:b2"]) await inState(page, topic, "closed")
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  for (const topic of ["resources:b1-l1", "resources:b1-l2", "resources:b2"]) await inState(page, topic, "joined")
  world.happen("b1", "l1", { resourceId: "one" })
  await cardOf(page, "resources:b1-l1").getByText("one").waitFor()
  expect(await cardOf(page, "resources:b1-l2").locator(".messages li").count()).toBe(0)

  await page.getByRole("button", { name: "Leave resources:b1-l1" }).click()
  await inState(page, "resources:b1-l1", "closed")
  world.happen("b1", "l1", { resourceId: "two" })
  await page.getByRole("button", { name: "Join resources:b1-l1" }).click()
  await cardOf(page, "resources:b1-l1").getByText("1 message recovered, offset 2").waitFor()
  expect(await cardOf(page, "resources:b1-l2").locator(".comeback").isVisible()).toBe(false)

  await page.getByRole("button", { name: "Remove resources:b2" }).click()
  await page.getByLabel("Topic", { exact: true }).fill("nobody:knows")
  await page.keyboard.press("Enter")
  await inState(page, "nobody:knows", "refused")
  await cardOf(page, "nobody:knows").getByText("There is no such topic").waitFor()
  expect(page.url()).toEndWith("/test#place=b1/l1&place=b1/l2&topic=nobody:knows")
  await page.close()
})

test("what cannot be recovered is said, and why: history that is gone, or another epoch", async () => {
  const page = await world.open("#place=b3/l1")
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  const card = cardOf(page, "resources:b3-l1")
  await inState(page, "resources:b3-l1", "joined")
  world.happen("b3", "l1")
  await card.getByText("#1").waitFor()
  const away = async (meanwhile: () => void): Promise<void> => {
    await page.getByRole("button", { name: "Leave resources:b3-l1" }).click()
    await inState(page, "resources:b3-l1", "closed")
    meanwhile()
    // Nobody's memory knows it any longer.
    expect(await world.room.tree.restart("topics")).toEqual({ kind: "restarted" })
    await page.getByRole("button", { name: "Join resources:b3-l1" }).click()
    await inState(page, "resources:b3-l1", "joined")
  }
  await away(() => world.room.streams.prune(world.happen("b3", "l1"), 2))
  await card.getByText(/not recovered: what was missed is older than the history/).waitFor()
  await away(() => {
    world.room.streams.epoch = "e2"
  })
  await card.getByText(/not recovered: the epoch is another/).waitFor()
  expect(await card.locator(".messages li").count()).toBe(1)
  await page.close()
})

test("a refused join is explained in words, and the colon form resolves an ambiguous one", async () => {
  const page = await world.open()
  await page.getByLabel("Token").fill("manager")
  await page.getByLabel("Business").fill("al")
  await page.getByLabel("Location").fill("noor-karkh")
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  await page.getByText("two places of yours are spelled like this").waitFor()
  await shot(page, "test-page-5-ambiguous")
  await page.getByLabel("Use the colon form").check()
  await page.getByRole("button", { name: "Watch this too" }).click()
  await inState(page, "resources:al:noor-karkh", "joined")
  await page.getByLabel("Business").fill("elsewhere")
  await page.getByLabel("Location").fill("")
  await page.keyboard.press("Enter")
  await cardOf(page, "resources:elsewhere").getByText("The token does not name this person or business").waitFor()
  await page.close()
})

test("on a narrow screen, light or dark, nothing runs out of the page, and the topics come before the settings", async () => {
  const page = await world.open("#place=business-123/location-456&topic=resources:b1", {
    viewport: { width: 360, height: 740 },
    colorScheme: "dark",
  })
  expect(await page.locator("#settings").isVisible()).toBe(false)
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  await inState(page, PLACE, "joined")
  world.happen("business-123", "location-456", { resourceId: "r".repeat(300) })
  await cardOf(page, PLACE).locator(".messages summary").first().click()
  await cardOf(page, PLACE).getByText("Push an event").click()
  await page.locator("#frames summary").first().click()
  await shot(page, "test-page-4-narrow")
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
  await page.close()
})

test("the page broke no rule of its own policy, threw nothing, and asked nobody but this hub", () => {
  expect(world.broken).toEqual([])
  expect(world.asked.filter((url) => !/^(http|ws):\/\/127\.0\.0\.1:/.test(url))).toEqual([])
})
