/** The ways to reach a person. `inapp` has no delivery: the inbox row is the delivery. */
export const CHANNELS = ["inapp", "email", "sms", "voice", "telegram", "slack", "push"] as const
export type Channel = (typeof CHANNELS)[number]

/** Channels that hand a message to a provider in this version. */
export const SENDING_CHANNELS = ["email", "sms", "telegram", "slack"] as const
export type SendingChannel = (typeof SENDING_CHANNELS)[number]

export const isChannel = (value: unknown): value is Channel => CHANNELS.some((name) => name === value)
export const isSendingChannel = (value: unknown): value is SendingChannel =>
  SENDING_CHANNELS.some((name) => name === value)
