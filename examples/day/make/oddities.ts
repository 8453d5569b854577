// What a real day has and a planned one forgets: events that look like others and are not.
import { thousands } from "./catalogue.ts"
import { between } from "./chance.ts"
import { at, send } from "./daybook.ts"

export function oddities(): void {
  const basics = { business: "al-noor", location: "karkh" }
  // The tills make invoices too; `invoice-created` asks for the ERP's own.
  for (let i = 0; i < 12; i++) {
    const amount = i === 5 ? 12_400_000 : thousands(between(8_000, 240_000))
    send(
      {
        type: "invoice.created",
        source: "pos",
        key: `till-3-${i}`,
        occurredAt: at(9, 10 + i * 37),
        ...basics,
        payload: {
          invoice_id: `p-${i}`,
          invoice_number: `T3-${1000 + i}`,
          customer_name: "زبون نقدي",
          amount,
          currency: "IQD",
        },
      },
      "canonical",
    )
  }
  // Types that no rule wants: one part more than `order.*`, and capitals.
  for (let i = 0; i < 4; i++)
    send(
      {
        type: "order.line.added",
        source: "sales",
        key: `7300-line-${i}`,
        occurredAt: at(9, 30 + i),
        ...basics,
        payload: { total: 9_000_000, currency: "IQD" },
      },
      "canonical",
    )
  for (let i = 0; i < 2; i++)
    send(
      {
        type: "Order.Created",
        source: "legacy",
        key: `legacy-${i}`,
        occurredAt: at(9, 40 + i),
        ...basics,
        payload: { total: 9_000_000, currency: "IQD" },
      },
      "canonical",
    )
  // The same key from another source and in another business: other events.
  for (const business of ["al-noor", "al"])
    for (const source of ["sales", "crm"])
      send(
        {
          type: "order.shipped",
          source,
          key: "shared-key-1",
          occurredAt: at(15, 5),
          business,
          location: business === "al" ? "noor-karkh" : "karkh",
          payload: {
            order_id: "o-1",
            order_number: "SO-1",
            customer_name: "Tigris Contracting",
            total: 1_000_000,
            currency: "IQD",
            salesperson_id: business === "al" ? "zahra.adil" : "ahmed.sabah",
          },
        },
        "canonical",
      )
  // A salesperson of another business is nobody here.
  for (let i = 0; i < 3; i++)
    send(
      {
        type: "order.delivered",
        source: "sales",
        key: `lent-${i}`,
        occurredAt: at(16, i),
        business: "al",
        location: "noor-karkh",
        payload: {
          order_id: `o-lent-${i}`,
          order_number: `SO-L${i}`,
          customer_name: "Erbil Home Center",
          total: 350_000,
          currency: "IQD",
          salesperson_id: "ahmed.sabah",
        },
      },
      "canonical",
    )
}
