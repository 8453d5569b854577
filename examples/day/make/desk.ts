// The trading desk's day, from ten o'clock: fills all along, margin calls when prices fall.
import { customers, symbols, traders } from "./catalogue.ts"
import { between, chance, next, pick } from "./chance.ts"
import { at, moment, send } from "./daybook.ts"

export function fill(): void {
  const number = next("fill", 500_100)
  const symbol = pick(symbols)
  const trader = pick(traders)
  const quantity = between(1, 40) * (symbol.price > 100_000 ? 5 : 5_000)
  send(
    {
      type: "ORDER_FILLED",
      source: "trading-engine",
      key: `fill-${number}`,
      occurredAt: moment(at(10), at(14, 30)) + between(0, 999),
      business: "rafidain-trading",
      location: trader === "cognito|7f3a" ? "erbil-desk" : "hq",
      payload: {
        order_ref: `R${number}`,
        symbol: symbol.id,
        side: pick(["BUY", "SELL"]),
        quantity,
        price: symbol.price,
        notional: Math.round(quantity * symbol.price),
        currency: "IQD",
        // One account is traded by somebody whom the hub has not met.
        trader_id: number % 90 === 0 ? 20577 : trader,
      },
    },
    chance(0.85) ? "trading" : "trading_event_id",
  )
}

export function marginCall(): void {
  const number = next("margin", 70)
  const required = between(40, 900) * 1_000_000
  const ratio = between(31, 97) / 100
  const trader = pick(traders)
  send(
    {
      type: "MARGIN_CALL",
      source: "trading-engine",
      key: `mc-${number}`,
      severity:
        ratio < 0.5 ? "critical" : ratio < 0.7 ? pick(["high", "high", "error"]) : pick(["medium", "warning", "low"]),
      occurredAt: moment(at(11), at(15)),
      business: "rafidain-trading",
      location: trader === "cognito|7f3a" ? "erbil-desk" : "hq",
      payload: {
        account_id: `acc-${number}`,
        account_name: pick(customers),
        trader_id: trader,
        equity: Math.round(required * ratio),
        margin_required: required,
        shortfall: required - Math.round(required * ratio),
        currency: "IQD",
        due_by: "2026-03-02T17:00:00+03:00",
      },
    },
    chance(0.6) ? "trading" : "cloudevents",
  )
}
