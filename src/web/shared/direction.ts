/**
 * From which side a message is read. `dir="auto"` goes by the first word, so an Arabic text that begins with a customer
 * called Al Noor would be set as English; what a person reads as one thing goes one way, by most of its words.
 */

/** Addresses say nothing about the language around them. */
const ADDRESS = /https?:\/\/\S+|\S+@\S+/g
const WORD = /[\p{L}\p{M}]+/gu
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u

/** Of all the parts together; as many of one as of the other, and what has no words, is left to the first letter. */
export function directionOf(...parts: readonly (string | null)[]): "ltr" | "rtl" | "auto" {
  const words = parts.flatMap((part) => (part ?? "").replace(ADDRESS, " ").match(WORD) ?? [])
  const rtl = words.filter((word) => RIGHT_TO_LEFT.test(word)).length
  if (rtl * 2 === words.length) return "auto"
  return rtl * 2 > words.length ? "rtl" : "ltr"
}
