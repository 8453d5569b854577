/** The button by which somebody says "I have it", as it travels through a provider and back. */

/** Begins what a button carries; the rest is a token of `LinkTokens.acknowledge`. Telegram takes 64 bytes of both. */
export const ACKNOWLEDGE = "ack:"
/** What it says. */
export const ACKNOWLEDGE_LABEL = "Acknowledge"
/** What Slack calls the button. */
export const ACKNOWLEDGE_ACTION = "hub_acknowledge"
