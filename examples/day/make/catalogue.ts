// Who buys, sells, trades and dines: the names that the day is made of, in the two languages that people write them in.
import type { Spelling } from "./spellings.ts"

export const customers = [
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
export const suppliers = [
  "شركة الفرات للأغذية",
  "مصنع ألبان أبو غريب",
  "Anadolu Gıda A.Ş.",
  "Jebel Ali Trading FZE",
  "وكالة دجلة للمعدات",
  "Nineveh Mills",
] as const
export const products = [
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

export type Shop = {
  business: string
  branches: ReadonlyArray<{ id: string; sales: readonly (string | number)[] }>
  spellings: readonly Spelling[]
}
export const alNoor: Shop = {
  business: "al-noor",
  branches: [
    { id: "karkh", sales: ["ahmed.sabah"] },
    { id: "mansour-1", sales: ["mina.yousif", 1042] },
    { id: "basra", sales: ["karrar.hussein"] },
  ],
  spellings: ["erp", "erp", "erp_branch"],
}
export const al: Shop = {
  business: "al",
  branches: [
    { id: "noor-karkh", sales: ["zahra.adil"] },
    { id: "dora", sales: ["murtadha.adil"] },
  ],
  spellings: ["canonical", "canonical_header"],
}
export const sumer: Shop = {
  business: "sumer_supplies",
  branches: [
    { id: "najaf", sales: ["ruqaya.salim"] },
    { id: "kut-2", sales: ["abbas.musawi"] },
  ],
  spellings: ["canonical", "cloudevents"],
}
export const dijla: Shop = {
  business: "dijla-restaurants",
  branches: [
    { id: "karrada", sales: [] },
    { id: "jadriya-2", sales: [] },
    { id: "mansour-1", sales: [] },
    { id: "erbil-100m", sales: [] },
  ],
  spellings: ["cloudevents", "canonical"],
}

export const traders = ["karim.altai", "sajjad.kadhim", "cognito|7f3a"] as const
export const symbols = [
  { id: "IQDUSD", price: 1_310 },
  { id: "XAUIQD", price: 4_150_000 },
  { id: "BBOB", price: 3.42 },
  { id: "TASC", price: 12.6 },
  { id: "IBSD", price: 5.85 },
] as const

export const guests = [
  "أبو محمد",
  "عائلة الدليمي",
  "Lena Fischer",
  "سارة وأصدقاؤها",
  "Mr. Haddad",
  "عرس آل ربيعة",
  "Team <QA> & Co",
  "دعوة غداء عمل",
] as const

/** Prices end in a quarter of a thousand dinars: there are no smaller notes. */
export const thousands = (amount: number): number => Math.round(amount / 250) * 250
