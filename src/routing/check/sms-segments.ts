/** How many SMS a text is: GSM 03.38 where every character is in its alphabet, UCS-2 otherwise (3GPP TS 23.038, 23.040). */

const BASIC =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
/** These take an escape before them: two units. */
const EXTENDED = "\f^{}\\[~]|€"

const UNITS = new Map([
  ...[...BASIC].map((char) => [char, 1] as const),
  ...[...EXTENDED].map((char) => [char, 2] as const),
])

export interface Segments {
  readonly alphabet: "GSM-7" | "UCS-2"
  /** 7-bit units, or UTF-16 units. */
  readonly units: number
  readonly segments: number
}

/** What fits into one message, and into each of several, which need a header. */
const SINGLE = { "GSM-7": 160, "UCS-2": 70 } as const
const EACH = { "GSM-7": 153, "UCS-2": 67 } as const

/** The segments that a provider counts. No character is split between two: neither an escape nor a surrogate pair. */
export function smsSegments(text: string): Segments {
  const characters = [...text]
  const alphabet = characters.every((char) => UNITS.has(char)) ? "GSM-7" : "UCS-2"
  const sizes = characters.map((char) => (alphabet === "GSM-7" ? (UNITS.get(char) ?? 0) : char.length))
  const units = sizes.reduce((sum, size) => sum + size, 0)
  if (units <= SINGLE[alphabet]) return { alphabet, units, segments: 1 }
  let segments = 1
  let filled = 0
  for (const size of sizes) {
    if (filled + size > EACH[alphabet]) {
      segments += 1
      filled = 0
    }
    filled += size
  }
  return { alphabet, units, segments }
}
