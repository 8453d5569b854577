/** The words that Zoho, its users and its documentation have for records and for what happens to them. */

/** `names`: in the singular, without case and separators. `ids`: fields of a record that name it, the first wins. */
export const ENTITIES = {
  contact: { names: ["contact", "customer", "vendor"], ids: ["contact_id", "customer_id", "vendor_id", "id"] },
  product: { names: ["product", "item"], ids: ["item_id", "product_id", "id"] },
  order: { names: ["order", "salesorder"], ids: ["salesorder_id", "order_id", "id"] },
  invoice: { names: ["invoice"], ids: ["invoice_id", "id"] },
  bill: { names: ["bill"], ids: ["bill_id", "id"] },
  credit_note: { names: ["creditnote"], ids: ["creditnote_id", "credit_note_id", "id"] },
  stock: {
    names: ["stock", "inventoryadjustment", "adjustment", "inventory"],
    ids: ["inventory_adjustment_id", "adjustment_id", "item_id", "id"],
  },
  price: {
    names: ["price", "pricelist", "pricebook"],
    ids: ["pricebook_id", "pricelist_id", "price_list_id", "item_id", "id"],
  },
} as const satisfies Record<string, { readonly names: readonly string[]; readonly ids: readonly string[] }>

/** What stands before the dot in an event's type. */
export type Entity = keyof typeof ENTITIES

const ALIASES: ReadonlyMap<string, Entity> = new Map(
  (Object.keys(ENTITIES) as Entity[]) // its own keys
    .flatMap((entity) => ENTITIES[entity].names.map((name) => [name, entity] as const)),
)

/** `Sales Orders`, `salesorder` → `order`; null for what Zoho has no webhooks of here. */
export function aliasOf(word: string): Entity | null {
  const bare = word.toLowerCase().replace(/[\s_-]/g, "")
  return ALIASES.get(bare) ?? ALIASES.get(bare.replace(/s$/, "")) ?? null
}

const OPERATIONS: ReadonlyMap<string, string> = new Map([
  ["create", "created"],
  ["add", "created"],
  ["added", "created"],
  ["new", "created"],
  ["edit", "updated"],
  ["edited", "updated"],
  ["update", "updated"],
  ["modify", "updated"],
  ["modified", "updated"],
  ["delete", "deleted"],
  ["remove", "deleted"],
  ["removed", "deleted"],
])

/** Beside those: what a workflow rule of Zoho waits for, as the events of other producers call it. */
const USUAL = new Set([
  ...OPERATIONS.values(),
  ..."approved rejected submitted sent viewed accepted declined confirmed paid partially_paid overdue".split(" "),
  ..."voided cancelled shipped delivered returned refunded adjusted transferred low out".split(" "),
])

const bareWord = (word: string): string =>
  word
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_")

/** What stands behind the dot: `edit` → `updated`, another word as it is. Null where it is no word. */
export function operationOf(word: string): string | null {
  const bare = bareWord(word)
  return OPERATIONS.get(bare) ?? (/^[a-z][a-z0-9_]{0,31}$/.test(bare) ? bare : null)
}

/** Whether it is one of a closed set, none of which can be cut into a shorter one and a parameter. */
export function isKnownOperation(word: string): boolean {
  const bare = bareWord(word)
  return OPERATIONS.has(bare) || USUAL.has(bare)
}
