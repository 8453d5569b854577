// Makes the day: day.ndjson and recipients.json, the same bytes on every machine, because the only chance in it is a
// seeded one. Run `bun examples/day/make.ts` after a change here; `--check` writes nothing and says whether the
// committed files are what this makes.
import { readFileSync, writeFileSync } from "node:fs"
import { recipients } from "./people.ts"
import { baghdad, type Meant, type Request, type Spelling, spell } from "./spellings.ts"

type Sending = { at: number; request: Request }

const MIDNIGHT = Date.parse("2026-03-02T00:00:00+03:00")
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const END = MIDNIGHT + 24 * HOUR

/** mulberry32: small, seeded, the same on every machine. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const random = seeded(20260302)
const chance = (p: number): boolean => random() < p
const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1))
const at = (hour: number, minute = 0): number => MIDNIGHT + hour * HOUR + minute * MINUTE
/** A moment from `from` to `to`, to the second. */
const moment = (from: number, to: number): number => between(from / SECOND, to / SECOND - 1) * SECOND

function pick<T>(list: readonly T[]): T {
  const one = list[Math.floor(random() * list.length)]
  if (one === undefined) throw new Error("nothing to pick from")
  return one
}

const sendings: Sending[] = []
/** What was sent, so that a repeat may be spelled another way. */
const meantBy = new Map<Sending, Meant>()

/** The Basra branch's line was down from 09:00 to 13:10: what happened meanwhile was sent when it came back. */
const arrival = (meant: Meant): number => {
  const down = meant.location === "basra" && meant.occurredAt >= at(9) && meant.occurredAt < at(13, 10)
  return down ? at(13, 10) + between(0, 14 * 60) * SECOND : meant.occurredAt + between(0, 3) * SECOND
}

/** Spells and queues an event; one that would be sent after midnight is tomorrow's. Says whether it was queued. */
function send(meant: Meant, spelling: Spelling): boolean {
  const when = arrival(meant)
  if (when >= END) return false
  const sending = { at: when, request: spell(meant, spelling) }
  sendings.push(sending)
  meantBy.set(sending, meant)
  return true
}

// ── who and what ────────────────────────────────────────────────────────────────────────────────────────────────────

const customers = [
  "شركة النخيل للتجارة العامة",
  "مطعم صاج الريف",
  "أسواق الكرخ المركزية",
  "معرض الرافدين للأثاث",
  "صيدلية دار الشفاء",
  "مكتب بابل للمقاولات",
  "فندق بغداد الدولي",
  "شركة سومر للنقل",
  "مخبز التنور الذهبي",
  "مدرسة الأمل الأهلية",
  "Tigris Contracting",
  "Erbil Home Center",
  "Basra Marine Services",
  "Gilgamesh Café & Books",
  "O'Neil <Gulf> Supplies",
  "Al-Mansour Mall",
  "Zagros Catering",
  "Ishtar Hotels & Resorts",
] as const
const suppliers = [
  "شركة الفرات للأغذية",
  "مصنع ألبان أبو غريب",
  "Anadolu Gıda A.Ş.",
  "Jebel Ali Trading FZE",
  "وكالة دجلة للمعدات",
  "Nineveh Mills",
] as const
const products = [
  { sku: "RICE-5KG", name: "رز عنبر ٥ كغم", price: 14_000 },
  { sku: "TEA-CEY-500", name: "شاي سيلاني ٥٠٠ غم", price: 6_500 },
  { sku: "OIL-SUN-1L", name: "زيت عباد الشمس ١ لتر", price: 3_250 },
  { sku: "GEN-5KVA", name: "Generator 5 kVA", price: 1_450_000 },
  { sku: "AC-18K", name: "مكيف سبلت ١٨ ألف", price: 685_000 },
  { sku: "FRZ-300", name: "Chest freezer 300 L", price: 520_000 },
  { sku: "DATES-BRH-1", name: "تمر برحي ١ كغم", price: 4_000 },
  { sku: "TILE-6060", name: "Tile 60×60 (box)", price: 18_500 },
  { sku: "CBL-NYY-4x16", name: "Cable NYY 4×16 (m)", price: 9_750 },
  { sku: "INV-LI-10", name: "بطارية ليثيوم ١٠ ك.و.س", price: 2_900_000 },
] as const

type Shop = {
  business: string
  branches: ReadonlyArray<{ id: string; sales: readonly (string | number)[] }>
  spellings: readonly Spelling[]
}
const alNoor: Shop = {
  business: "al-noor",
  branches: [
    { id: "karkh", sales: ["ahmed.sabah"] },
    { id: "mansour-1", sales: ["mina.yousif", 1042] },
    { id: "basra", sales: ["karrar.hussein"] },
  ],
  spellings: ["erp", "erp", "erp_branch"],
}
const al: Shop = {
  business: "al",
  branches: [
    { id: "noor-karkh", sales: ["zahra.adil"] },
    { id: "dora", sales: ["murtadha.adil"] },
  ],
  spellings: ["canonical", "canonical_header"],
}
const sumer: Shop = {
  business: "sumer_supplies",
  branches: [
    { id: "najaf", sales: ["ruqaya.salim"] },
    { id: "kut-2", sales: ["abbas.musawi"] },
  ],
  spellings: ["canonical", "cloudevents"],
}
const dijla: Shop = {
  business: "dijla-restaurants",
  branches: [
    { id: "karrada", sales: [] },
    { id: "jadriya-2", sales: [] },
    { id: "mansour-1", sales: [] },
    { id: "erbil-100m", sales: [] },
  ],
  spellings: ["cloudevents", "canonical"],
}

const counters = new Map<string, number>()
/** The next number of a series, starting where last year left off. */
const next = (series: string, first: number): number => {
  const number = (counters.get(series) ?? first - 1) + 1
  counters.set(series, number)
  return number
}
const thousands = (amount: number): number => Math.round(amount / 250) * 250

// ── the day, story by story ─────────────────────────────────────────────────────────────────────────────────────────

/** 07:30: the ERP's nightly run names every invoice that is late. */
function overdueRun(shop: Shop, count: number): void {
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
function order(shop: Shop): void {
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
  const fate = random()
  const paidAt = issued + between(10, 300) * MINUTE
  if (fate < 0.45) say("invoice.paid", paidAt, { method: pick(["cash", "bank transfer", "ZainCash"]) })
  else if (fate < 0.65) {
    const paid = currency === "USD" ? Math.ceil(amount / 2) : thousands(amount * 0.4)
    say("invoice.partially_paid", paidAt, { paid_amount: paid, balance_due: amount - paid })
  }
}

function stock(type: string, shop: Shop, location: string, occurredAt: number, spelling: Spelling): void {
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
function burst(): void {
  for (let i = 0; i < 330; i++) {
    const type = i % 16 === 3 ? "stock.out" : i % 6 === 1 ? "stock.low" : "stock.adjusted"
    stock(type, alNoor, "karkh", at(10, 15) + Math.floor((i * 56 * SECOND) / 330), "erp")
  }
}

function purchase(shop: Shop, requesters: readonly (string | number)[]): void {
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

const traders = ["karim.altai", "sajjad.kadhim", "cognito|7f3a"] as const
const symbols = [
  { id: "IQDUSD", price: 1_310 },
  { id: "XAUIQD", price: 4_150_000 },
  { id: "BBOB", price: 3.42 },
  { id: "TASC", price: 12.6 },
  { id: "IBSD", price: 5.85 },
] as const

function fill(): void {
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

function marginCall(): void {
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

// ── the restaurants, through the resources server ───────────────────────────────────────────────────────────────────

const guests = [
  "أبو محمد",
  "عائلة الدليمي",
  "Lena Fischer",
  "سارة وأصدقاؤها",
  "Mr. Haddad",
  "عرس آل ربيعة",
  "Team <QA> & Co",
  "دعوة غداء عمل",
] as const

function resource(
  type: string,
  resourceType: string,
  id: string,
  location: string | undefined,
  when: number,
  data?: Record<string, unknown>,
): void {
  if (when >= END) return
  const request: Request = {
    path: "/api/notifications",
    content_type: "application/json",
    ...(chance(0.4) ? { headers: { "Idempotency-Key": `outbox-${next("outbox", 1)}` } } : {}),
    body: {
      type: `resource_${type}`,
      resourceType,
      businessId: "dijla-restaurants",
      ...(location === undefined ? {} : { locationId: location }),
      resourceId: id,
      shardId: `shard-00${between(1, 3)}`,
      timestamp: new Date(when).toISOString(),
      ...(data === undefined ? {} : { data }),
    },
  }
  sendings.push({ at: when + between(0, 2) * SECOND, request })
}

function reservation(): void {
  const id = `res-${next("reservation", 8_800)}`
  const location = pick(dijla.branches).id
  const table = {
    guest_name: pick(guests),
    guests: between(1, 14),
    at: `2026-03-02T${between(12, 22)}:${pick(["00", "30"])}:00+03:00`,
  }
  let when = chance(0.35) ? moment(at(10), at(13)) : moment(at(16), at(22, 30))
  resource("created", "reservation", id, location, when, table)
  when += between(2, 90) * MINUTE
  if (chance(0.5)) {
    resource(
      pick(["updated", "patched"]),
      "reservation",
      id,
      location,
      when,
      chance(0.8) ? { ...table, guests: table.guests + 2 } : undefined,
    )
    when += between(2, 60) * MINUTE
  }
  if (chance(0.2)) resource("deleted", "reservation", id, location, when, chance(0.7) ? table : undefined)
}

function restaurants(): void {
  for (let i = 0; i < 190; i++) reservation()
  for (let i = 0; i < 44; i++) {
    const item = pick(["مسكوف", "كباب أربيل", "Dolma", "تشريب لحم", "Lentil soup"])
    const kind = pick(["menu", "menu_item", "MenuSection"])
    resource(
      pick(["created", "updated", "patched"]),
      kind,
      `m-${between(1, 60)}`,
      pick(dijla.branches).id,
      moment(at(9), at(23)),
      { name: item, available: chance(0.6) },
    )
  }
  for (let i = 0; i < 40; i++) {
    const type = pick(["updated", "patched", "deleted", "created"])
    resource(
      type,
      pick(["table", "shift", "supplier"]),
      `x-${between(1, 90)}`,
      pick(dijla.branches).id,
      moment(at(9), at(23)),
    )
  }
  resource("created", "announcement", "ann-1", undefined, at(9, 5), { title: "رمضان كريم: أوقات العمل الجديدة" })
  resource("created", "announcement", "ann-2", undefined, at(16, 40), { title: "New till software tonight" })
  resource("created", "announcement", "ann-3", "karrada", at(11, 20), { title: "Fire drill at Karrada" })
}

// ── odds and ends that a real day has ───────────────────────────────────────────────────────────────────────────────

function oddities(): void {
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

/** Producers that got no answer ask again, seconds to minutes later; a few through a newer client that spells it otherwise. */
function repeats(count: number): void {
  const originals = [...sendings]
  for (let i = 0; i < count; i++) {
    const original = pick(originals)
    const when = original.at + between(1, 900) * SECOND
    if (when >= END) continue
    const meant = meantBy.get(original)
    const respelled = meant !== undefined && i % 20 === 0
    sendings.push({ at: when, request: respelled ? spell(meant, "canonical") : original.request })
  }
  // The sales module's queue was restarted at 15:30 and sent its last twenty again.
  const sales = originals.filter((s) => meantBy.get(s)?.source === "sales" && s.at < at(15, 30))
  const last = sales.sort((a, b) => a.at - b.at).slice(-20)
  for (const [i, original] of last.entries()) sendings.push({ at: at(15, 30) + i * 200, request: original.request })
}

function day(): { ndjson: string; people: string } {
  overdueRun(alNoor, 92)
  overdueRun(al, 20)
  overdueRun(sumer, 24)
  overdueRun(dijla, 14)
  for (let i = 0; i < 105; i++) order(alNoor)
  for (let i = 0; i < 34; i++) order(al)
  for (let i = 0; i < 42; i++) order(sumer)
  burst()
  for (let i = 0; i < 170; i++) {
    const shop = pick([alNoor, alNoor, al, sumer])
    stock(
      pick(["stock.low", "stock.low", "stock.out", "stock.adjusted", "stock.transferred"]),
      shop,
      pick(shop.branches).id,
      moment(at(8), at(20)),
      pick(shop.spellings),
    )
  }
  for (let i = 0; i < 34; i++) purchase(alNoor, ["rania.fadhil", "layth.qasim", "yasir.naji", "new.hire"])
  for (let i = 0; i < 10; i++) purchase(al, ["murtadha.adil"])
  for (let i = 0; i < 18; i++) purchase(dijla, ["saif.aldin", "chef.salam", "chef.dilan"])
  for (let i = 0; i < 14; i++) purchase(sumer, ["ruqaya.salim", "abbas.musawi"])
  for (let i = 0; i < 290; i++) fill()
  for (let i = 0; i < 40; i++) marginCall()
  restaurants()
  oddities()
  repeats(130)

  const inOrder = sendings
    .map((sending, index) => ({ sending, index }))
    .sort((a, b) => a.sending.at - b.sending.at || a.index - b.index)
  const lines = inOrder.map(({ sending }) => JSON.stringify({ at: baghdad(sending.at), ...sending.request }))
  return { ndjson: `${lines.join("\n")}\n`, people: `${JSON.stringify(recipients(), null, 2)}\n` }
}

const { ndjson, people } = day()
const files = [
  { url: new URL("day.ndjson", import.meta.url), made: ndjson },
  { url: new URL("recipients.json", import.meta.url), made: people },
]
if (process.argv.includes("--check")) {
  const stale = files.filter(({ url, made }) => readFileSync(url, "utf8") !== made)
  for (const { url } of stale)
    console.error(`${url.pathname.split("/").pop()} is not what make.ts makes: run bun examples/day/make.ts`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const { url, made } of files) writeFileSync(url, made)
  console.log(`day.ndjson: ${ndjson.split("\n").length - 1} lines, ${Buffer.byteLength(ndjson)} bytes`)
}
