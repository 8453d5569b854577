/**
 * The accounts of push, without a message to anybody: Google and Apple are given a device that nobody has, and say of it
 * what they say only to whom they know. Browsers' services take any key, so there is nobody to ask.
 */
import { pushAccounts } from "../channels/catalogue.ts"
import { pushChannel } from "../channels/push.ts"
import type { Config } from "../config.ts"
import type { Outcome } from "../domain/delivery.ts"
import { newDeliveryId } from "../domain/ids.ts"
import type { Clock } from "../runtime/clock.ts"
import { type Check, type Finding, fail, ok, warn } from "./check.ts"

const NOBODYS_DEVICE = "0".repeat(64)

export function pushChecks(config: Config, clock: Clock): readonly Check[] {
  const accounts = pushAccounts(config)
  const worker = pushChannel(accounts)
  const asks = (check: string, platform: string, settings: string): Check => ({
    name: check,
    async run(signal) {
      const message = {
        channel: "push",
        device: { platform, token: NOBODYS_DEVICE },
        title: "hub doctor",
        text: "",
        priority: "low",
        expiresAt: 0,
        topic: null,
        actionUrl: null,
        actionLabel: null,
      } as const
      const id = newDeliveryId(clock.wall().getTime())
      return { findings: [findingOf(check, settings, await worker.send({ id, message, signal }))] }
    },
  })
  return [
    { name: "push (browsers)", run: async () => ({ findings: [browsers(config)] }) },
    ...(accounts.fcm === null ? [] : [asks("push (FCM)", "android", "FCM_SERVICE_ACCOUNT")]),
    ...(accounts.apns === null
      ? []
      : [asks("push (APNs)", "ios", "APNS_KEY, APNS_KEY_ID, APNS_TEAM_ID and APNS_TOPIC")]),
  ]
}

function browsers({ vapid }: Config): Finding {
  const check = "push (browsers)"
  if (vapid === null) return ok(check, "no VAPID keys are set: no browser can be told")
  return vapid.subject === null
    ? warn(check, "push services are not told whom to ask about us", "set VAPID_SUBJECT to mailto: or an https URL")
    : ok(check, `the keys belong together; push services may ask ${vapid.subject}`)
}

function findingOf(check: string, settings: string, outcome: Outcome): Finding {
  switch (outcome.kind) {
    case "delivered":
    case "captured":
    case "rejected":
      return ok(check, "the account is good")
    case "unusable":
      return fail(check, `the account is refused: ${outcome.detail}`, `set ${settings} to those of one account`)
    case "retry":
    case "unknown":
      return warn(check, `no answer about the account: ${outcome.reason}: ${outcome.detail}`, "ask again later")
  }
}
