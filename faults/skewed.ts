// Preloaded into a hub's process: its wall clock jumps from one of SKEW_MS (a list) to the next each SKEW_EVERY_MS, and
// runs 5 % too fast. What is monotonic, and the database, know nothing of it.
const offsets = (process.env["SKEW_MS"] ?? "0").split(",").map(Number)
const every = Number(process.env["SKEW_EVERY_MS"])
const DRIFT = 0.05

const RealDate = Date
const began = performance.now()
const skewed = (): number => {
  const ran = performance.now() - began
  return Math.round(RealDate.now() + DRIFT * ran + (offsets[Math.floor(ran / every) % offsets.length] ?? 0))
}

class SkewedDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    // Whatever `Date` takes.
    super(...((given.length === 0 ? [skewed()] : given) as [number]))
  }
  static override now = skewed
}
globalThis.Date = SkewedDate as DateConstructor // called without `new` it would give a text, which nobody does
