/**
 * What a short answer means. Only whole answers are words: "stop" is one, "stop loss at 5" is something that somebody says
 * and becomes an event. Per-se words of revocation: 47 CFR 64.1200(a)(10), and those that Twilio takes by itself.
 */

export type Meaning = "stop" | "start" | "yes" | "help" | "acknowledge"

/** Twilio answers these itself on its numbers, and a second answer would be one too many. */
const ANSWERED_BY_TWILIO = new Set(
  "stop stopall unsubscribe end quit revoke optout cancel start unstop yes help info".split(" "),
)

const WORDS: Readonly<Record<Meaning, readonly string[]>> = {
  stop: [
    "stop",
    "stopall",
    "stop all",
    "stop it",
    "stop texting",
    "stop messages",
    "quit",
    "end",
    "revoke",
    "opt out",
    "optout",
    "cancel",
    "unsubscribe",
    "remove me",
    "توقف",
    "ايقاف",
    "إيقاف",
    "الغاء",
    "إلغاء",
    "الغاء الاشتراك",
    "إلغاء الاشتراك",
    "arret",
    "arrêt",
    "alto",
    "parar",
  ],
  start: ["start", "unstop", "resume", "opt in", "optin", "subscribe", "ابدا", "ابدأ", "اشتراك"],
  yes: ["yes", "نعم"],
  help: ["help", "info", "مساعدة"],
  acknowledge: [
    "ack",
    "acknowledge",
    "acknowledged",
    "ok",
    "okay",
    "k",
    "confirm",
    "confirmed",
    "got it",
    "on it",
    "roger",
    "👍",
    "✅",
    "تم",
    "موافق",
    "حسنا",
    "استلمت",
  ],
}

const MEANINGS: ReadonlyMap<string, Meaning> = new Map(
  (["stop", "start", "yes", "help", "acknowledge"] as const).flatMap((meaning) =>
    WORDS[meaning].map((word) => [plain(word), meaning] as const),
  ),
)
/** Longer than every word and its politeness. */
const MAX_LENGTH = 60

/** Null: it says something of its own. */
export function meaningOf(text: string): Meaning | null {
  if (text.length > MAX_LENGTH) return null
  return MEANINGS.get(plain(text)) ?? (isStopInAnger(text) ? "stop" : null)
}

/** "STOP 🛑" and "stop stop stop": whoever misses a STOP writes to somebody against their will. */
function isStopInAnger(text: string): boolean {
  const words = plain(text.replace(/\p{Extended_Pictographic}/gu, " "))
  const [first, second] = new Set(words.split(" "))
  return (MEANINGS.get(words) ?? (second === undefined ? MEANINGS.get(first ?? "") : null)) === "stop"
}

/** Whether Twilio has said to whoever sent it what becomes of it. */
export const isAnsweredByTwilio = (text: string): boolean => ANSWERED_BY_TWILIO.has(text.trim().toLowerCase())

/** Without case, marks, what Arabic writes above and below letters, and politeness. */
function plain(text: string): string {
  const words = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\p{Mn}|\p{Cf}|\u0640|\p{Emoji_Modifier}/gu, "")
    .replace(/[\p{P}\s]+/gu, " ")
    .trim()
  return words.replace(/^please | please$| now$/g, "").trim()
}
