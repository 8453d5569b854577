/** An event of the shipped rules that is easy to follow: one Telegram message to one trader, which names its account. */
import { ADMIN_KEY } from "./front.ts"

export const TRADER = "trader-7"

/** The body of `POST /v1/events`; its message holds `acc-<n>.`, which `accountIn` finds again. */
export const marginCall = (n: number) => ({
  type: "MARGIN_CALL",
  source: "risk",
  severity: "high",
  business_id: "desk",
  payload: {
    account_id: `acc-${n}.`,
    account_name: "Al Noor",
    trader_id: TRADER,
    margin_required: 2,
    equity: 1,
    shortfall: 1,
    currency: "IQD",
  },
})

/** The account that a message names. */
export const accountIn = (text: string): string => /acc-\d+\./.exec(text)?.[0] ?? "?"

/** Makes the trader known to the hub on this port. */
export const putTrader = (port: number): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/v1/recipients/${TRADER}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ business_id: "desk", telegram_chat_id: "991" }),
  })
