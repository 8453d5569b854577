/** The event that a page sends to try the hub: a shipped rule tells its owner of it. */
export const sampleInvoice = (owner: string) => ({
  type: "invoice.overdue",
  source: "invoicing",
  payload: {
    invoice_id: "inv-1",
    invoice_number: "INV-1",
    customer_name: "Al Noor Trading",
    days_overdue: 9,
    amount_due: 1_250_000,
    currency: "IQD",
    owner_id: owner,
  },
})
