// The test page in a real browser, against a real room: the frames as they pass, who is there, and the ways to connect.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Page } from "playwright-core"
import { shot } from "../testing/browser.ts"
import { cardOf, inState, startTestPage, type TestPageWorld } from "../testing/test-page.ts"

setDefaultTimeout(30_000)

let world: TestPageWorld
beforeAll(async () => {
  world = await startTestPage()
}, 60_000)
afterAll(() => world.stop(), 60_000)

const frames = (page: Page) => page.locator("#frames li")
const connect = (page: Page): Promise<void> => page.getByRole("button", { name: "Connect", exact: true }).click()

test("every frame passes in sight with its five parts; they can be filtered and paused, and none is lost by that", async () => {
  const page = await world.open("#place=b1/l1&place=b1/l2")
  await connect(page)
  await inState(page, "resources:b1-l2", "joined")
  const join = frames(page).filter({ hasText: "phx_join" }).filter({ hasText: "resources:b1-l1" })
  await join.locator("summary").click()
  expect(await join.locator(".wire").textContent()).toMatch(/^\["\d+","\d+","resources:b1-l1","phx_join",\{\}\]$/)
  expect(await join.locator("dt").allTextContents()).toEqual([
    "join_ref",
    "ref",
    "topic",
    "event",
    "payload",
    "on the wire",
  ])
  await page.getByLabel("Frames of").selectOption("resources:b1-l2")
  await join.waitFor({ state: "detached" })
  await frames(page).filter({ hasText: "phx_reply" }).waitFor()
  await frames(page).last().getByText("Open: WebSocket, version 2.0.0.").waitFor()

  await page.getByRole("button", { name: "Pause" }).click()
  world.happen("b1", "l2", { resourceId: "while-paused" })
  await cardOf(page, "resources:b1-l2").getByText("while-paused").waitFor()
  await page.getByText("paused, 1 more").waitFor()
  expect(await frames(page).filter({ hasText: "while-paused" }).count()).toBe(0)
  await page.getByRole("button", { name: "Go on" }).click()
  await frames(page).filter({ hasText: "while-paused" }).waitFor()

  await page.getByLabel("Frames of").selectOption("All topics")
  await page.getByLabel("Frames with these words").fill("WHILE-PAUSED")
  await frames(page).nth(1).waitFor({ state: "detached" })
  await frames(page).getByText("while-paused").waitFor()
  await page.getByRole("button", { name: "Clear", exact: true }).click()
  await page.getByText("Every frame of the connection is listed here").waitFor()
  await page.close()
})

test("a flood is shown to its last 500 frames, and the page goes on answering", async () => {
  const page = await world.open("#place=b2/l1")
  await connect(page)
  await inState(page, "resources:b2-l1", "joined")
  for (let at = 1; at <= 700; at++) world.happen("b2", "l1", { resourceId: `r${at}` })
  await cardOf(page, "resources:b2-l1").locator(".facts .offset", { hasText: /^700$/ }).waitFor()
  await page.getByText("500 shown of 703, the last 500 kept").waitFor()
  expect(await cardOf(page, "resources:b2-l1").locator(".messages li").count()).toBe(200)
  await frames(page).first().getByText("r700").waitFor()
  await page.close()
})

test("an own event gets the hub's reply, and one that is no JSON is not sent; what is typed stays while the line comes and goes", async () => {
  const page = await world.open("#place=b1/l1")
  await connect(page)
  await inState(page, "resources:b1-l1", "joined")
  const card = cardOf(page, "resources:b1-l1")
  await card.getByText("Push an event").click()
  await card.getByLabel("Event").fill("nonsense")
  await card.getByLabel("Payload").fill("{oops")
  await card.getByRole("button", { name: "Push", exact: true }).click()
  await card.getByText("The payload is no JSON object").waitFor()
  world.door(false)
  await page.getByLabel("Come back").selectOption("at once")
  await page.getByRole("button", { name: "Break the line" }).click()
  await inState(page, "resources:b1-l1", "errored")
  await card.getByLabel("Payload").fill('{"a":1}')
  await page.getByLabel("Token").pressSequentially("half a tok")
  world.door(true)
  await inState(page, "resources:b1-l1", "joined")
  expect(await page.getByLabel("Token").inputValue()).toBe("half a tok")
  expect(await card.getByLabel("Payload").inputValue()).toBe('{"a":1}')
  await page.getByLabel("Token").fill("")
  await card.getByRole("button", { name: "Push", exact: true }).click()
  await card.locator(".reply").getByText("unknown event").waitFor()
  await shot(page, "test-page-7-push")
  await page.close()
})

test("version 1 and long polling do what version 2 and the socket do, and a change of them recovers what was missed", async () => {
  const page = await world.open("#place=b4/l1&vsn=1.0.0")
  await connect(page)
  await page.getByText("WebSocket, version 1.0.0", { exact: true }).waitFor()
  await inState(page, "resources:b4-l1", "joined")
  world.happen("b4", "l1", { resourceId: "by-version-1" })
  const pushed = frames(page).filter({ hasText: "by-version-1" })
  await pushed.locator("summary").click()
  expect(await pushed.locator(".wire").textContent()).toStartWith('{"')

  world.door(false)
  await page.getByLabel("Transport").selectOption("Long polling")
  world.happen("b4", "l1", { resourceId: "between" })
  world.door(true)
  await cardOf(page, "resources:b4-l1").getByText("1 message recovered, offset 2").waitFor()
  await page.getByText("Long polling, version 2.0.0", { exact: true }).waitFor()
  expect(await page.getByLabel("Version").isDisabled()).toBe(true)
  world.happen("b4", "l1", { resourceId: "by-polling" })
  await frames(page).filter({ hasText: "by-polling" }).waitFor()
  expect(world.asked.some((url) => url.includes("/socket/longpoll?"))).toBe(true)
  expect(page.url()).toEndWith("#place=b4/l1&transport=longpoll")
  await page.close()
})

test("with a name one is seen by the others on the topic, another name is seen at once, and who goes is gone", async () => {
  const [ann, ben] = [await world.open("#place=b5/l1"), await world.open("#place=b5/l1")]
  for (const [page, name] of [
    [ann, "Ann"],
    [ben, "Ben"],
  ] as const) {
    await page.getByLabel("Your name").fill(name)
    await connect(page)
    await inState(page, "resources:b5-l1", "joined")
  }
  const there = (page: Page) => cardOf(page, "resources:b5-l1").locator(".people li")
  for (const page of [ann, ben])
    for (const name of ["Ann", "Ben"]) await there(page).getByText(name, { exact: true }).waitFor()
  await shot(ann, "test-page-8-presence")
  await ben.getByLabel("Your name").fill("Benjamin")
  await ben.keyboard.press("Tab")
  await there(ann).getByText("Benjamin").waitFor()
  expect(ann.url()).not.toContain("Ann")
  await ben.close()
  await there(ann).getByText("Benjamin").waitFor({ state: "detached" })
  expect(await there(ann).allTextContents()).toEqual(["Ann"])
  await ann.close()
})

test("a refused token is explained, kept in the tab's own storage, and never in an address or on the page", async () => {
  const page = await world.open()
  await page.getByLabel("Token").fill("Bearer شركة")
  await page.getByLabel("Business").fill("b1")
  await connect(page)
  await page.getByText("This is no token").waitFor()
  await page.getByLabel("Token").fill("wrong-token")
  await connect(page)
  await page.getByText("The hub does not let this connection in").waitFor()
  await frames(page).filter({ hasText: "Not let in" }).first().waitFor()
  expect(await page.locator("body").textContent()).not.toContain("wrong-token")
  await page.reload()
  expect(await page.getByLabel("Token").inputValue()).toBe("wrong-token")
  await page.getByLabel("Token").fill("manager")
  await connect(page)
  await page.getByText("WebSocket, version 2.0.0", { exact: true }).waitFor()
  const card = cardOf(page, "resources:b1")
  await card.getByText("The token does not name this person or business").waitFor()
  expect(world.asked.filter((url) => /wrong-token|manager/.test(url))).toEqual([])
  await page.close()
})

test("a token that comes with the link leaves the address at once, and what else was in it stays", async () => {
  const page = await world.open("#token=manager&place=al/x/colon")
  await page.keyboard.press("Tab")
  await page.keyboard.press("Enter")
  await page.locator("#topics-title:focus").waitFor()
  expect(page.url()).toEndWith("/test#place=al/x/colon")
  expect(await page.getByLabel("Token").inputValue()).toBe("manager")
  await connect(page)
  await inState(page, "resources:al:x", "joined")
  await page.close()
})

test("the page broke no rule of its own policy, threw nothing, and asked nobody but this hub", () => {
  expect(world.broken).toEqual([])
  expect(world.asked.filter((url) => !/^(http|ws):\/\/127\.0\.0\.1:/.test(url))).toEqual([])
})
