/** How an SMS is cut and paid for: one character outside GSM 03.38 makes every part less than half as long. */

export interface Segments {
  readonly encoding: "GSM-7" | "UCS-2"
  readonly count: number
  /** In units of the encoding: septets or UTF-16 code units. */
  readonly length: number
}

const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüàÆæßÉ",
)
/** These are sent as two: an escape and a letter. */
const EXTENDED = new Set("^{}\\[~]|€\f")

export function segmentsOf(text: string): Segments {
  const letters = [...text]
  if (letters.every((letter) => BASIC.has(letter) || EXTENDED.has(letter))) {
    const length = letters.reduce((sum, letter) => sum + (EXTENDED.has(letter) ? 2 : 1), 0)
    return { encoding: "GSM-7", length, count: length <= 160 ? 1 : Math.ceil(length / 153) }
  }
  return { encoding: "UCS-2", length: text.length, count: text.length <= 70 ? 1 : Math.ceil(text.length / 67) }
}
