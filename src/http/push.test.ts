import { afterAll, beforeAll, expect, test } from "bun:test"
import { asBusinessId, asRecipientId } from "../domain/ids.ts"
import { audienceOf } from "../store/audience.ts"
import { browserPush } from "../testing/browser-push.ts"
import { type Front, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { pushRoutes } from "./push.ts"
import { recipientRoutes } from "./recipients.ts"

let front: Front
beforeAll(async () => {
  front = await startFront(({ db }) => [
    recipientRoutes({ db }),
    pushRoutes({ db, publicKey: "BPublic", loopback: false }),
  ])
})
afterAll(() => front.stop())

const ask = (method: string, key: string, json: unknown) =>
  front.call("/v1/push/subscriptions", { method, key, json }).then(({ status }) => status)
const person = (id: string) => tokenFor({ sub: id, business_id: "b1" })
const [business, browser] = [asBusinessId("b1"), (name: string) => browserPush(`https://push.example/${name}`)]
/** Endpoints of a person, as rules find them. */
async function browsersOf(id: string): Promise<readonly string[]> {
  const user = asRecipientId(id)
  if (business === null || user === null) throw new Error("no ids")
  const query = { business, location: null, roles: [], users: [user], lists: [], everyone: false }
  const [answer] = await audienceOf(front.db)([query])
  return (answer?.recipients ?? []).flatMap(({ deviceTokens }) =>
    deviceTokens.map(({ platform, token }) => `${platform} ${JSON.parse(token).endpoint}`),
  )
}

test("the key that browsers subscribe with is told to whoever asks", async () => {
  const answer = await front.call("/v1/push/public-key")
  expect(await answer.json()).toEqual({ public_key: "BPublic" })
})

test("a browser is told from when it subscribed until it unsubscribes, once however often it says so", async () => {
  const ann = await person("ann")
  const [one, two] = [browser("one").subscription, browser("two").subscription]
  expect(await ask("POST", ann, { ...one, expirationTime: null })).toBe(204)
  expect(await ask("POST", ann, one)).toBe(204)
  expect(await ask("POST", ann, two)).toBe(204)
  expect(await browsersOf("ann")).toEqual([`web ${one.endpoint}`, `web ${two.endpoint}`])
  expect(await ask("DELETE", ann, { endpoint: one.endpoint })).toBe(204)
  expect(await ask("DELETE", ann, { endpoint: one.endpoint })).toBe(404)
  expect(await browsersOf("ann")).toEqual([`web ${two.endpoint}`])
})

test("a browser is whose it was last, and nobody else can turn it off", async () => {
  const [bea, cem] = [await person("bea"), await person("cem")]
  const { subscription } = browser("shared")
  await ask("POST", bea, subscription)
  await ask("POST", cem, subscription)
  expect(await browsersOf("bea")).toEqual([])
  expect(await browsersOf("cem")).toEqual([`web ${subscription.endpoint}`])
  expect(await ask("DELETE", bea, { endpoint: subscription.endpoint })).toBe(404)
})

test("a service that replaces a recipient leaves their browsers, and one that deletes them does not", async () => {
  const { subscription } = browser("dora")
  await ask("POST", await person("dora"), subscription)
  const recipient = (method: string) =>
    front.call("/v1/recipients/dora", {
      method,
      key: SERVICE_KEY,
      ...(method === "PUT" ? { json: { business_id: "b1" } } : {}),
    })
  await recipient("PUT")
  expect(await browsersOf("dora")).toEqual([`web ${subscription.endpoint}`])
  await recipient("DELETE")
  await recipient("PUT")
  expect(await browsersOf("dora")).toEqual([])
})

test("of very many browsers the newest are told", async () => {
  const eve = await person("eve")
  for (let n = 0; n < 23; n += 1) await ask("POST", eve, browser(`eve-${n}`).subscription)
  const left = await browsersOf("eve")
  expect(left).toHaveLength(20)
  expect(left.at(-1)).toBe("web https://push.example/eve-22")
})

test("what is no subscription of a browser is refused, and so is a key, which is nobody", async () => {
  const fay = await person("fay")
  const { endpoint, keys } = browser("fay").subscription
  for (const bad of [
    {},
    { endpoint },
    { endpoint: "http://push.example/x", keys },
    { endpoint, keys: { ...keys, auth: "x" } },
  ])
    expect(await ask("POST", fay, bad)).toBe(422)
  expect(await ask("POST", SERVICE_KEY, { endpoint, keys })).toBe(403)
  expect(await ask("DELETE", fay, {})).toBe(422)
})
