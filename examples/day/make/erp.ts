// The ERP's day: invoices, orders, stock and purchase orders of the trading house, the shop and the suppliers.
import { alNoor, customers, products, type Shop, suppliers, thousands } from "./catalogue.ts"
import { between, chance, fraction, next, pick } from "./chance.ts"
import { at, MINUTE, moment, SECOND, send } from "./daybook.ts"
import { baghdad, type Spelling } from "./spellings.ts"

/** 07:30: the ERP's nightly run names every invoice that is late. */
export function overdueRun(shop: Shop, count: number): void {
  for (let i = 0; i < count; i++) {
    const branch = pick(shop.branches)
    const number = next(`${shop.business}:invoice`, 41_000)
    const days = pick([1, 2, 3, 5, 6, 7, 8, 10, 14, 21, 29, 30, 31, 45, 60, 90])
    const amount = thousands(between(150_000, 18_000_000))
    const owner = branch.sales.length > 0 && chance(0.8) ? pick(branch.sales) : undefined
    send(
      {
        type: "invoice.overdue",
        source: "invoicing",
        key: `inv-${number}-overdue-${days}d`,
        severity: days >= 30 ? "high" : days >= 7 ? "warning" : "info",
        occurredAt: moment(at(7, 30), at(7, 50)),
        business: shop.business,
        ...(chance(0.8) ? { location: branch.id } : {}),
        payload: {
          invoice_id: `i-${number}`,
          invoice_number: `INV-${number}`,
          customer_name: pick(customers),
          amount_due: amount,
          currency: "IQD",
          // Three invoices come from an old module that does not count days, one run counts from today.
          ...(i % 50 === 17 ? {} : { days_overdue: i % 50 === 31 ? 0 : days }),
          ...(owner === undefined ? {} : { owner_id: owner }),
        },
      },
      pick(shop.spellings),
    )
  }
}

/** An order and what becomes of it: approved or cancelled, shipped, delivered, invoiced, paid. */
export function order(shop: Shop): void {
  const branch = pick(shop.branches)
  const number = next(`${shop.business}:order`, 7_300)
  const seller = pick(branch.sales)
  const dollars = chance(0.06)
  const product = pick(products)
  const total = dollars ? between(200, 9_000) : thousands(product.price * between(1, chance(0.25) ? 60 : 8))
  const customer = pick(customers)
  let now = moment(at(8, 30), at(17, 30))
  const correlation = `order-${number}`
  const spelling = pick(shop.spellings)
  const facts = {
    order_id: `o-${number}`,
    order_number: `SO-${number}`,
    customer_name: customer,
    total,
    currency: dollars ? "USD" : "IQD",
    salesperson_id: seller,
  }
  const say = (type: string, more: Record<string, unknown> = {}): boolean =>
    send(
      {
        type,
        source: "sales",
        // "7301-created" is also what the invoicing module may call something: a key counts within its source.
        key: `${number}-${type.slice("order.".length)}`,
        occurredAt: now,
        business: shop.business,
        location: branch.id,
        correlation,
        payload: { ...facts, ...more },
      },
      spelling,
    )
  const later = (low: number, high: number): void => {
    now += between(low * 60, high * 60) * SECOND
  }

  say("order.created", { items: [{ sku: product.sku, name: product.name }] })
  later(3, 50)
  if (chance(0.14)) {
    say("order.cancelled", { reason: pick(["الزبون غيّر رأيه", "Out of stock", "السعر غير مناسب", "Duplicate order"]) })
    return
  }
  say("order.approved")
  if (chance(0.8))
    invoice(
      shop,
      branch.id,
      seller,
      customer,
      total,
      dollars ? "USD" : "IQD",
      now + between(1, 9) * MINUTE,
      correlation,
    )
  if (chance(0.3)) return
  later(20, 150)
  say("order.shipped", { carrier: pick(["Own van", "سيارة الشركة", "Sandoog Express"]) })
  if (chance(0.35)) return
  later(30, 240)
  say("order.delivered", { received_by: customer })
}

function invoice(
  shop: Shop,
  location: string,
  seller: string | number,
  customer: string,
  amount: number,
  currency: string,
  issued: number,
  correlation: string,
): void {
  const number = next(`${shop.business}:invoice`, 41_000)
  const spelling = pick(shop.spellings)
  const facts = {
    invoice_id: `i-${number}`,
    invoice_number: `INV-${number}`,
    customer_name: customer,
    amount,
    currency,
    salesperson_id: seller,
  }
  const say = (type: string, occurredAt: number, more: Record<string, unknown>): boolean =>
    send(
      {
        type,
        source: "invoicing",
        key: `${number}-${type.slice("invoice.".length)}`,
        occurredAt,
        business: shop.business,
        location,
        correlation,
        payload: { ...facts, ...more },
      },
      spelling,
    )
  say("invoice.created", issued, { due_date: pick(["2026-03-16", "2026-04-01"]) })
  const fate = fraction()
  const paidAt = issued + between(10, 300) * MINUTE
  if (fate < 0.45) say("invoice.paid", paidAt, { method: pick(["cash", "bank transfer", "ZainCash"]) })
  else if (fate < 0.65) {
    const paid = currency === "USD" ? Math.ceil(amount / 2) : thousands(amount * 0.4)
    say("invoice.partially_paid", paidAt, { paid_amount: paid, balance_due: amount - paid })
  }
}

export function stock(type: string, shop: Shop, location: string, occurredAt: number, spelling: Spelling): void {
  const product = pick(products)
  const number = next("stock", 1)
  const change = -between(1, 30)
  const specific = (): Record<string, unknown> => {
    switch (type) {
      case "stock.low": {
        const reorder = pick([10, 20, 25, 50])
        // A till that counts late reports "low" with more than the level, or with nothing left, or with no count.
        const quantity = chance(0.85) ? between(1, reorder) : chance(0.4) ? reorder + 5 : chance(0.5) ? 0 : undefined
        return { ...(quantity === undefined ? {} : { quantity }), reorder_level: reorder }
      }
      case "stock.out":
        return { quantity: 0, last_sold_at: baghdad(occurredAt - 5 * MINUTE) }
      case "stock.adjusted":
        return {
          quantity_change: change,
          value_change: change * product.price,
          currency: "IQD",
          reason: pick(["recount", "recount", "correction", "Theft", "damage", "expired", "Damage", "gift"]),
          counted_by: "يونس",
        }
      case "stock.transferred":
        return {
          transfer_id: `t-${number}`,
          quantity: chance(0.93) ? between(1, 80) : 0,
          from_location: pick(shop.branches).id,
          ...(chance(0.5) ? { requested_by: pick(pick(shop.branches.filter((b) => b.sales.length > 0)).sales) } : {}),
        }
      default:
        throw new Error(`no such stock event: ${type}`)
    }
  }
  send(
    {
      type,
      source: "inventory",
      key: `stk-${number}`,
      severity: type === "stock.out" ? "high" : "info",
      occurredAt,
      business: shop.business,
      location,
      payload: { sku: product.sku, product_name: product.name, ...specific() },
    },
    spelling,
  )
}

/** 10:15: the yearly count of the Karkh warehouse is entered, all of it in one minute. */
export function burst(): void {
  for (let i = 0; i < 330; i++) {
    const type = i % 16 === 3 ? "stock.out" : i % 6 === 1 ? "stock.low" : "stock.adjusted"
    stock(type, alNoor, "karkh", at(10, 15) + Math.floor((i * 56 * SECOND) / 330), "erp")
  }
}

export function purchase(shop: Shop, requesters: readonly (string | number)[]): void {
  const number = next(`${shop.business}:po`, 900)
  const location = pick(shop.branches).id
  const dollars = chance(0.2)
  const total = dollars ? between(800, 32_000) : thousands(between(300_000, 42_000_000))
  const spelling = pick(shop.spellings)
  const facts = {
    po_id: `po-${number}`,
    po_number: `PO-${number}`,
    supplier_name: pick(suppliers),
    total,
    currency: dollars ? "USD" : "IQD",
    requester_id: pick(requesters),
  }
  let now = moment(at(8), at(15))
  const say = (type: string, more: Record<string, unknown> = {}): boolean =>
    send(
      {
        type,
        source: "purchasing",
        key: `${number}-${type.slice("po.".length)}`,
        occurredAt: now,
        business: shop.business,
        location,
        correlation: `po-${number}`,
        payload: { ...facts, ...more },
      },
      spelling,
    )
  say("po.created")
  now += between(10, 150) * MINUTE
  if (chance(0.25)) {
    say("po.rejected", {
      reason: pick(["السعر أعلى من السوق", "Over budget", "عرض واحد لا يكفي، نحتاج ثلاثة", "Wrong supplier"]),
    })
    return
  }
  if (chance(0.1)) return
  say("po.approved", { approved_by: "dina.waleed" })
  now += between(60, 300) * MINUTE
  if (chance(0.6)) say("po.received", { received_quantity: between(5, 400) })
}
