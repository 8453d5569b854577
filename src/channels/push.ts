/**
 * Push to one device, by the service that reaches it: the browser's own, Google's or Apple's. A message that comes twice
 * takes its own place on the device, so a try without an answer is repeated.
 */
import type { Outcome } from "../domain/delivery.ts"
import { type PushService, pushServiceOf } from "../domain/recipient.ts"
import type { ChannelWorker, SendRequest } from "./channel.ts"
import { type ApnsAccount, apnsSender } from "./push-apns.ts"
import { type FcmAccount, fcmSender } from "./push-fcm.ts"
import { type WebPushAccount, webPushSender } from "./push-web.ts"

export type PushSender = (request: SendRequest<"push">) => Promise<Outcome>

/** An account that is null is not there. */
export interface PushOptions {
  readonly web: WebPushAccount | null
  readonly fcm: FcmAccount | null
  readonly apns: ApnsAccount | null
  /** Development: what goes to a device without an account is captured. Production: it is refused, once and for all. */
  readonly capture: boolean
}

const ACCOUNTS: Readonly<Record<PushService, string>> = { web: "VAPID", fcm: "FCM", apns: "APNs" }

/** One push a try. */
export function pushChannel({ web, fcm, apns, capture }: PushOptions): ChannelWorker<"push"> {
  const senders: Readonly<Record<PushService, PushSender | null>> = {
    web: web && webPushSender(web),
    fcm: fcm && fcmSender(fcm),
    apns: apns && apnsSender(apns),
  }
  return {
    channel: "push",
    async send(request) {
      const service = pushServiceOf(request.message.device)
      if (service === null)
        return { kind: "rejected", reason: "unknown_platform", detail: "a platform that no push service is known for" }
      const sender = senders[service]
      if (sender !== null) return sender(request)
      if (capture) return { kind: "captured" }
      return { kind: "rejected", reason: "no_account", detail: `no ${ACCOUNTS[service]} account is set` }
    },
  }
}
