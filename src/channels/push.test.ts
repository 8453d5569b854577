import { expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { PushMessage } from "../domain/message.ts"
import { pushChannel } from "./push.ts"

const send = (platform: string, capture: boolean) => {
  const message: PushMessage = {
    channel: "push",
    device: { platform, token: "aCanaryOfADevice" },
    title: "News",
    text: "",
    priority: "normal",
    expiresAt: null,
    topic: null,
    actionUrl: null,
    actionLabel: null,
  }
  const worker = pushChannel({ web: null, fcm: null, apns: null, capture })
  return worker.send({ id: newDeliveryId(0), message, signal: new AbortController().signal })
}

test("a device without an account is captured in development, and refused for good in production", async () => {
  for (const platform of ["web", "android", "ios"]) {
    expect(await send(platform, true)).toEqual({ kind: "captured" })
    const refused = await send(platform, false)
    expect(refused).toMatchObject({ kind: "rejected", reason: "no_account" })
    expect(JSON.stringify(refused)).not.toContain("aCanary")
  }
})

test("a device of a platform that nobody reaches is refused", async () => {
  expect(await send("toaster", true)).toMatchObject({ kind: "rejected", reason: "unknown_platform" })
})
