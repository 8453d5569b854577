/** The ways to reach a person. `inapp` has no delivery: the inbox row is the delivery. */
export const CHANNELS = ["inapp", "email", "sms", "voice", "telegram", "slack", "push"] as const
export type Channel = (typeof CHANNELS)[number]

/** Those that hand a person's message to a provider. */
export const PERSONAL_CHANNELS = ["email", "sms", "voice", "telegram", "slack", "push"] as const
export type PersonalChannel = (typeof PERSONAL_CHANNELS)[number]

/** All that deliveries go by: to people, and to systems. */
export const SENDING_CHANNELS = [...PERSONAL_CHANNELS, "webhook"] as const
export type SendingChannel = (typeof SENDING_CHANNELS)[number]

export const isChannel = (value: unknown): value is Channel => CHANNELS.some((name) => name === value)
export const isPersonalChannel = (value: unknown): value is PersonalChannel =>
  PERSONAL_CHANNELS.some((name) => name === value)
export const isSendingChannel = (value: unknown): value is SendingChannel =>
  SENDING_CHANNELS.some((name) => name === value)
