/** Keys for calls that were given none. */

/** A random UUID. `crypto.randomUUID` is not there on pages that came over plain HTTP; this is. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const hex = Array.from(bytes, (byte, index) => {
    if (index === 6) return 0x40 | (byte & 0x0f) // version 4
    return index === 8 ? 0x80 | (byte & 0x3f) : byte // its variant
  }).map((byte) => byte.toString(16).padStart(2, "0"))
  return [hex.slice(0, 4), hex.slice(4, 6), hex.slice(6, 8), hex.slice(8, 10), hex.slice(10)]
    .map((part) => part.join(""))
    .join("-")
}
