// Notifications of a browser: turned on and off on the page, shown by the service worker. Only the push service itself, which
// is the browser's maker's, is played.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Page } from "playwright-core"
import { signToken } from "../../cli/token.ts"
import { launchBrowser, STEP_DEADLINE_MS } from "../../testing/browser.ts"
import { browserPush } from "../../testing/browser-push.ts"
import { eventually } from "../../testing/eventually.ts"
import { JWT_SECRET } from "../../testing/front.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

setDefaultTimeout(30_000)

let hub: TestHub
let browser: Browser
let page: Page
const broken: string[] = []
const { subscription } = browserPush("https://push.example/ann")

beforeAll(async () => {
  hub = await startTestHub()
  browser = await launchBrowser()
  const context = await browser.newContext()
  await context.grantPermissions(["notifications"], { origin: `http://127.0.0.1:${hub.port}` })
  page = await context.newPage()
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  await page.addInitScript((given) => {
    let now: unknown = null
    const made = {
      endpoint: given.endpoint,
      toJSON: () => given,
      async unsubscribe() {
        now = null
        return true
      },
    }
    Object.assign(PushManager.prototype, {
      getSubscription: async () => now,
      async subscribe() {
        now = made
        return made
      },
    })
  }, subscription)
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
}, 60_000)

const subscribed = async (): Promise<number> =>
  (await hub.db.query("select from push_subscriptions where recipient_id = 'ann'")).length
const soon = (n: number): Promise<number> =>
  eventually(subscribed, (found) => found === n, { withinMs: 5_000, what: `${n} subscriptions` })

test("a person turns notifications on and off, and the hub knows the browser in between", async () => {
  const roles = { roles: [], tenants: undefined, ttl: "1h", issuer: null, audience: null }
  const token = await signToken({ secret: JWT_SECRET, sub: "ann", ...roles })
  await page.goto(`http://127.0.0.1:${hub.port}/#token=${token}`)
  await page.getByRole("button", { name: "Turn on notifications" }).click()
  await page.getByRole("button", { name: "Turn off notifications" }).waitFor()
  await soon(1)
  await page.getByRole("button", { name: "Turn off notifications" }).click()
  await page.getByRole("button", { name: "Turn on notifications" }).waitFor()
  await soon(0)
})

test("a push is shown with its words, and later news of the same thing takes its place", async () => {
  const devtools = await page.context().newCDPSession(page)
  const registered = new Promise<string>((resolve) =>
    devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => {
      const [first] = registrations
      if (first !== undefined) resolve(first.registrationId)
    }),
  )
  await devtools.send("ServiceWorker.enable")
  const registrationId = await registered
  const push = (said: object) =>
    devtools.send("ServiceWorker.deliverPushMessage", {
      origin: `http://127.0.0.1:${hub.port}`,
      registrationId,
      data: JSON.stringify(said),
    })
  const shown = () =>
    page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready
      const registration = await navigator.serviceWorker.getRegistration()
      const all = (await registration?.getNotifications()) ?? []
      return [String(active?.state), ...all.map(({ title, body, tag }) => `${title}|${body}|${tag}`)].slice(1)
    })
  await push({ title: "Invoice INV-1 is overdue", body: "متأخر", url: null, tag: "inv-1" })
  const wait = { withinMs: 5_000, what: "a notification" }
  await eventually(shown, (all) => all.length === 1 && all[0] === "Invoice INV-1 is overdue|متأخر|inv-1", wait)
  await push({ title: "Invoice INV-1 is paid", body: "", url: null, tag: "inv-1" })
  await eventually(shown, (all) => all.length === 1 && all[0] === "Invoice INV-1 is paid||inv-1", wait)
  expect(broken).toEqual([])
})
