/**
 * Text that comes from errors may quote anything: an address, a bot token inside a URL, a password inside a
 * connection string. What telemetry carries is `ScrubbedText`, which only this file can make.
 */
declare const scrubbed: unique symbol

/** Text without addresses, numbers of people, tokens or URLs' private parts; one line, at most 300 characters. */
export type ScrubbedText = string & { readonly [scrubbed]: true }

const maxLength = 300
/** Bounds the work on a provider's megabyte of HTML before any pattern runs. */
const maxScanned = 4_000

/** In order: what contains others goes first (a URL holds tokens, a token holds digits). */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]+-----[\s\S]*?(?:-----END [A-Z ]+-----|$)/g, "«key»"],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"'<>]+@/gi, "$1«credentials»@"],
  [/(https?:\/\/hooks\.slack\.com\/)[^\s"'<>]+/gi, "$1«token»"],
  [/(\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s?"'<>]*)\?[^\s"'<>]*/gi, "$1?«query»"],
  [/\b(?:bot)?\d{6,12}:[A-Za-z0-9_-]{20,}/g, "«bot token»"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, "$1 «token»"],
  [/\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, "«token»"],
  [/\b(?:whsec|xox[a-z]|xapp|sk|rk|pk|re|ghp|gho|ghs|github_pat|hub)[_-][A-Za-z0-9_=+/.-]{8,}/g, "«token»"],
  [/((?:pass(?:word|wd)?|secret|token|api[_-]?key|authorization)["']?\s*[=:]\s*["']?)[^\s"',;}&]+/gi, "$1«secret»"],
  [/[^\s@<>()[\]"',;:=]{1,128}@[^\s@<>()[\]"',;:=]{1,190}\.[^\s@<>()[\]"',;:=.]{2,30}/gu, "«e-mail»"],
  [/\b(?:AC|SK|SM|MM)[0-9a-f]{32}\b/g, "«account»"],
  [/(?<![\p{L}\p{Nd}_.:-])\+?\(?\p{Nd}(?:[\s().-]{0,2}\p{Nd}){8,16}(?![\p{L}\p{Nd}_:])/gu, "«number»"],
  [/(?<![\w-])(?=[A-Za-z0-9_+/=-]*[A-Za-z])(?=[A-Za-z0-9_+/=-]*\d)[A-Za-z0-9_+/=-]{40,}/g, "«token»"],
]

/** Masks e-mails, phone numbers, tokens, keys and private parts of URLs; folds it to one line of at most 300 characters. */
export function scrub(text: string): ScrubbedText {
  let clean = text.slice(0, maxScanned)
  for (const [pattern, mask] of patterns) clean = clean.replace(pattern, mask)
  clean = clean.replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim()
  if (clean.length > maxLength) clean = `${clean.slice(0, maxLength - 1)}…`
  // The one place that may claim the brand.
  return clean as ScrubbedText
}

/**
 * `Name: message`, scrubbed; with the code of a system or PostgreSQL error, and its cause's message when it has one.
 * Takes whatever can be thrown and never throws.
 */
export function describeError(error: unknown): ScrubbedText {
  try {
    if (!(error instanceof Error)) return scrub(typeof error === "string" ? error : `thrown ${typeof error}`)
    const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : ""
    const cause = error.cause instanceof Error ? `; caused by ${error.cause.name}: ${error.cause.message}` : ""
    return scrub(`${error.name}: ${error.message}${code}${cause}`)
  } catch {
    // A getter that throws, or a proxy: whoever reports a failure must not fail by it.
    return scrub("an error that cannot be read")
  }
}
