// The forty people of the day, and where they work. Written by hand: who sits where is the part of the example that a
// reader checks against the rules, so nothing here is random.
//
// Nobody here can be reached: mail goes to example.com and .test, no telephone network has +964 000 numbers, and the
// Slack webhooks are hosts under .example.

type Address = "e" | "p" | "t"
/** One line per person: id, name, locale, memberships, addresses they have, the Slack group they read. */
type Person = {
  id: string
  name: string
  locale: "ar" | "en"
  works: ReadonlyArray<{ at: string; roles: readonly string[]; in?: readonly string[] }>
  has: readonly Address[]
  slack?: string
  /** Reached by another's phone: the shop counter has one. */
  phoneOf?: string
  timezone?: string
}

/** What `PUT /v1/recipients/{id}` takes, with the id beside it. */
export type RecipientEntry = { id: string } & Record<string, unknown>

// biome-ignore format: one person, one line
const people: readonly Person[] = [
  // al-noor: a trading house with an ERP; a head office and three branches.
  { id: "zainab.hadi", name: "زينب هادي", locale: "ar", works: [{ at: "al-noor", roles: ["accountant"] }], has: ["e", "p"] },
  { id: "omar.karim", name: "Omar Karim", locale: "en", works: [{ at: "al-noor", roles: ["accountant"], in: ["karkh"] }], has: ["e"] },
  { id: "hassan.jabbar", name: "حسن جبار", locale: "ar", works: [{ at: "al-noor", roles: ["finance_manager"] }], has: ["e", "p", "t"], slack: "al-noor/finance" },
  { id: "noor.saleh", name: "Noor Saleh", locale: "en", works: [{ at: "al-noor", roles: ["finance_manager"] }], has: ["e"], slack: "al-noor/finance" },
  { id: "ali.mahdi", name: "علي مهدي", locale: "ar", works: [{ at: "al-noor", roles: ["manager"], in: ["karkh", "mansour-1"] }], has: ["e", "p", "t"] },
  { id: "sara.jamil", name: "Sara Jamil", locale: "en", works: [{ at: "al-noor", roles: ["manager"], in: ["basra", "hq"] }], has: ["e"] },
  { id: "mustafa.ridha", name: "مصطفى رضا", locale: "ar", works: [{ at: "al-noor", roles: ["warehouse"], in: ["karkh"] }], has: ["p", "t"] },
  { id: "haider.abbas", name: "حيدر عباس", locale: "ar", works: [{ at: "al-noor", roles: ["warehouse"], in: ["mansour-1"] }], has: ["p"] },
  { id: "yasir.naji", name: "Yasir Naji", locale: "en", works: [{ at: "al-noor", roles: ["warehouse"], in: ["basra"] }], has: ["t"] },
  { id: "rania.fadhil", name: "رانيا فاضل", locale: "ar", works: [{ at: "al-noor", roles: ["purchasing"] }], has: ["e", "p", "t"], slack: "al-noor/buying" },
  { id: "layth.qasim", name: "Layth Qasim", locale: "en", works: [{ at: "al-noor", roles: ["purchasing"], in: ["hq", "karkh"] }], has: ["e"], slack: "al-noor/buying" },
  { id: "dina.waleed", name: "Dina Waleed", locale: "en", works: [{ at: "al-noor", roles: ["purchasing_manager"] }], has: ["e", "p"] },
  { id: "ahmed.sabah", name: "أحمد صباح", locale: "ar", works: [{ at: "al-noor", roles: ["sales"], in: ["karkh"] }], has: ["e", "t"], slack: "al-noor/sales" },
  { id: "mina.yousif", name: "Mina Yousif", locale: "en", works: [{ at: "al-noor", roles: ["sales"], in: ["mansour-1"] }], has: ["e", "p"], slack: "al-noor/sales" },
  { id: "karrar.hussein", name: "كرار حسين", locale: "ar", works: [{ at: "al-noor", roles: ["sales"], in: ["basra"] }], has: [], slack: "al-noor/sales" },
  // An id that is a number in the ERP; events carry it as a number.
  { id: "1042", name: "Huda Amin", locale: "en", works: [{ at: "al-noor", roles: ["sales_manager"] }], has: ["e", "p", "t"], slack: "al-noor/sales" },
  // Owns two businesses.
  { id: "haji.noori", name: "الحاج نوري", locale: "ar", works: [{ at: "al-noor", roles: ["owner"] }, { at: "al", roles: ["owner"] }], has: ["e", "p"] },
  // Audits two businesses from London.
  { id: "salma.tariq", name: "Salma Tariq", locale: "en", works: [{ at: "al-noor", roles: ["auditor"] }, { at: "sumer_supplies", roles: ["auditor"] }], has: ["e"], timezone: "Europe/London" },

  // al: a small shop whose name and branch spell like al-noor's: al + noor-karkh, al-noor + karkh.
  { id: "bilal.jubouri", name: "بلال الجبوري", locale: "ar", works: [{ at: "al", roles: ["manager", "accountant", "purchasing_manager"] }], has: ["e", "p", "t"] },
  { id: "zahra.adil", name: "زهراء عادل", locale: "ar", works: [{ at: "al", roles: ["sales", "warehouse"], in: ["noor-karkh"] }], has: ["p"], slack: "al/shop" },
  { id: "murtadha.adil", name: "مرتضى عادل", locale: "ar", works: [{ at: "al", roles: ["warehouse", "purchasing"], in: ["noor-karkh", "dora"] }], has: [], phoneOf: "zahra.adil", slack: "al/shop" },

  // dijla-restaurants: four restaurants. Its mansour-1 is not al-noor's mansour-1.
  { id: "nadia.shakir", name: "نادية شاكر", locale: "ar", works: [{ at: "dijla-restaurants", roles: ["floor_manager"], in: ["karrada"] }], has: ["e", "p", "t"] },
  { id: "tom.baker", name: "Tom Baker", locale: "en", works: [{ at: "dijla-restaurants", roles: ["floor_manager"], in: ["jadriya-2"] }], has: ["e", "p"] },
  { id: "shilan.aziz", name: "Shilan Aziz", locale: "en", works: [{ at: "dijla-restaurants", roles: ["floor_manager"], in: ["erbil-100m"] }], has: ["e", "t"] },
  { id: "ibrahim.latif", name: "إبراهيم لطيف", locale: "ar", works: [{ at: "dijla-restaurants", roles: ["floor_manager", "host"], in: ["mansour-1"] }], has: ["p", "t"] },
  { id: "maryam.khalid", name: "مريم خالد", locale: "ar", works: [{ at: "dijla-restaurants", roles: ["host"], in: ["karrada", "jadriya-2"] }], has: ["e"] },
  { id: "aras.omar", name: "Aras Omar", locale: "en", works: [{ at: "dijla-restaurants", roles: ["host"], in: ["erbil-100m"] }], has: ["p"] },
  { id: "chef.salam", name: "الشيف سلام", locale: "ar", works: [{ at: "dijla-restaurants", roles: ["kitchen"], in: ["karrada", "jadriya-2", "mansour-1"] }], has: ["t"] },
  { id: "chef.dilan", name: "Chef Dilan", locale: "en", works: [{ at: "dijla-restaurants", roles: ["kitchen"], in: ["erbil-100m"] }], has: [] },
  { id: "farah.nabil", name: "Farah Nabil", locale: "en", works: [{ at: "dijla-restaurants", roles: ["manager", "accountant"] }], has: ["e", "p"] },
  { id: "saif.aldin", name: "سيف الدين", locale: "ar", works: [{ at: "dijla-restaurants", roles: ["purchasing", "warehouse", "purchasing_manager"] }], has: ["e", "p", "t"], slack: "dijla/buying" },
  { id: "samir.haddad", name: "Samir Haddad", locale: "en", works: [{ at: "dijla-restaurants", roles: ["owner"] }], has: ["e", "p"], timezone: "Asia/Dubai" },

  // rafidain-trading: the desk.
  { id: "karim.altai", name: "Karim Al-Tai", locale: "en", works: [{ at: "rafidain-trading", roles: ["trader"], in: ["hq"] }], has: ["e", "p", "t"] },
  { id: "sajjad.kadhim", name: "سجاد كاظم", locale: "ar", works: [{ at: "rafidain-trading", roles: ["trader"], in: ["hq"] }], has: ["e", "p", "t"] },
  { id: "cognito|7f3a", name: "Lana Rashid", locale: "en", works: [{ at: "rafidain-trading", roles: ["trader"], in: ["erbil-desk"] }], has: ["e"] },
  { id: "maha.sami", name: "Maha Sami", locale: "en", works: [{ at: "rafidain-trading", roles: ["risk_officer"] }], has: ["e", "p", "t"], slack: "rafidain/risk", timezone: "Europe/London" },
  { id: "wisam.fuad", name: "وسام فؤاد", locale: "ar", works: [{ at: "rafidain-trading", roles: ["risk_officer"] }], has: ["e", "t"], slack: "rafidain/risk" },
  { id: "yusuf.aqrawi", name: "Yusuf Aqrawi", locale: "en", works: [{ at: "rafidain-trading", roles: ["manager", "accountant", "finance_manager"] }], has: ["e", "p"], slack: "rafidain/finance" },

  // sumer_supplies: two people do everything.
  { id: "abbas.musawi", name: "عباس الموسوي", locale: "ar", works: [{ at: "sumer_supplies", roles: ["manager", "sales_manager", "finance_manager", "purchasing_manager", "accountant"] }], has: ["e", "p", "t"], slack: "sumer/all" },
  { id: "ruqaya.salim", name: "Ruqaya Salim", locale: "en", works: [{ at: "sumer_supplies", roles: ["sales", "warehouse", "purchasing"], in: ["najaf"] }], has: ["p"], slack: "sumer/all" },
]

const phoneOf = (index: number): string => `+964000${String(1000000 + index)}`

/** The recipients in the shape the hub takes: a single membership in the short form for every third, so both are tried. */
export function recipients(): RecipientEntry[] {
  return people.map((person, index) => {
    const [only, ...more] = person.works
    const short = only !== undefined && more.length === 0 && index % 3 === 0
    const place = (work: Person["works"][number]) => ({
      business_id: work.at,
      ...(work.in === undefined ? {} : { location_ids: work.in }),
      roles: work.roles,
    })
    const phoneIndex = person.phoneOf === undefined ? index : people.findIndex((other) => other.id === person.phoneOf)
    const mailbox = person.id.replace(/[^a-z0-9.]/g, ".")
    return {
      id: person.id,
      name: person.name,
      locale: person.locale,
      timezone: person.timezone ?? "Asia/Baghdad",
      ...(short && only !== undefined ? place(only) : { memberships: person.works.map(place) }),
      ...(person.has.includes("e") ? { email: `${mailbox}@${index % 2 === 0 ? "example.com" : "day.test"}` } : {}),
      ...(person.has.includes("p") || person.phoneOf !== undefined ? { phone: phoneOf(phoneIndex) } : {}),
      ...(person.has.includes("t") ? { telegram_chat_id: String(910000000 + index) } : {}),
      ...(person.slack === undefined ? {} : { slack_webhook_url: `https://hooks.slack.example/${person.slack}` }),
    }
  })
}
