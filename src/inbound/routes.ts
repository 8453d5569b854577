/** The doors by which providers bring what became of messages, and what people answer (contract §9). */
import type { Secret } from "../domain/secret.ts"
import type { RouteFile } from "../http/route.ts"
import { type DoorOptions, doorRoute } from "./door.ts"
import { createEffects, type EffectsOptions } from "./effects.ts"
import { resendDoor } from "./resend.ts"
import { slackDoor } from "./slack.ts"
import type { ShowSlack } from "./slack-answer.ts"
import { telegramDoor } from "./telegram.ts"
import { type TwilioDoor, twilioDoor } from "./twilio.ts"

export interface InboundOptions extends Omit<DoorOptions, "effects">, EffectsOptions {
  readonly twilio: TwilioDoor
  /** What whoever pressed a button in Slack sees of it. */
  readonly slackShows: ShowSlack
  /** Of each door; null: it refuses everything. */
  readonly secrets: {
    readonly resend: Secret | null
    readonly telegram: Secret | null
    readonly slack: Secret | null
  }
}

export function inboundRoutes(options: InboundOptions): RouteFile {
  const parts: DoorOptions = { ...options, effects: createEffects(options) }
  const { twilio, secrets } = options
  const doors = [
    twilioDoor(twilio, parts),
    resendDoor(secrets.resend, parts),
    telegramDoor(secrets.telegram, parts),
    slackDoor(secrets.slack, parts, options.slackShows),
  ]
  return { routes: doors.map((door) => doorRoute(door, parts)) }
}
