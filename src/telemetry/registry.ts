/**
 * Counters, gauges and histograms in Prometheus' text format, without a library. Labels come from closed sets; should a
 * caller's word ever become one, a metric still has a bound: beyond it, series are counted together as "other".
 */
import { type Clock, systemClock } from "../runtime/clock.ts"

export type Labels<L extends string> = Readonly<Record<L, string>>

export interface Counter<L extends string> {
  /** `by` is never negative. */
  inc(labels: Labels<L>, by?: number): void
}

export interface Histogram<L extends string> {
  observe(labels: Labels<L>, value: number): void
}

/** One number, several with labels, or null while there is nothing to say. */
export type Reading = number | null | readonly { readonly labels: Labels<string>; readonly value: number }[]

/** Read at every scrape; a slow one is given up on. */
export type GaugeReader = () => Reading | Promise<Reading>

export interface Registry {
  counter<const L extends string>(name: string, help: string, labels: readonly L[]): Counter<L>
  histogram<const L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets: readonly number[],
  ): Histogram<L>
  /** A second reader under one name replaces the first: who knows the value is often built later. */
  gauge(name: string, help: string, read: GaugeReader): void
  /** A counter that somebody else keeps, read at every scrape; its name ends in `_total`. */
  total(name: string, help: string, read: GaugeReader): void
  /** The whole exposition; a gauge that throws or is slow has no sample in it. Never rejects. */
  render(): Promise<string>
}

const mostSeries = 200
const gaugeDeadlineMs = 500

interface Metric {
  /** Read from somebody, who may change. */
  readonly read: boolean
  readonly type: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly lines: () => Promise<readonly string[]>
}

export function createRegistry(clock: Clock = systemClock): Registry {
  const metrics = new Map<string, Metric>()

  const add = (name: string, metric: Metric) => {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error(`${name} is no name for a metric`)
    const known = metrics.get(name)
    if (known !== undefined && !(metric.read && known.read && metric.type === known.type))
      throw new Error(`the metric ${name} exists already`)
    metrics.set(name, metric)
  }

  return {
    counter(name, help, labels) {
      const series = new SeriesMap(labels, () => ({ value: 0 }))
      add(name, {
        type: "counter",
        read: false,
        help,
        lines: async () => series.entries().map(([text, { value }]) => sample(name, text, value)),
      })
      return {
        inc(values, by = 1) {
          series.at(values).value += by
        },
      }
    },

    histogram(name, help, labels, buckets) {
      const series = new SeriesMap(labels, () => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }))
      add(name, {
        type: "histogram",
        read: false,
        help,
        lines: async () =>
          series.entries().flatMap(([text, { counts, sum, count }]) => {
            const bucket = (le: number, value: number) =>
              sample(`${name}_bucket`, joined(text, `le="${number(le)}"`), value)
            return [
              ...buckets.map((le, index) => bucket(le, counts[index] ?? 0)),
              bucket(Number.POSITIVE_INFINITY, count),
              sample(`${name}_sum`, text, sum),
              sample(`${name}_count`, text, count),
            ]
          }),
      })
      return {
        observe(values, value) {
          const one = series.at(values)
          one.sum += value
          one.count += 1
          for (let index = buckets.length - 1; index >= 0 && value <= (buckets[index] ?? 0); index -= 1)
            one.counts[index] = (one.counts[index] ?? 0) + 1
        },
      }
    },

    gauge(name, help, read) {
      add(name, { type: "gauge", read: true, help, lines: async () => readings(name, await withDeadline(read, clock)) })
    },

    total(name, help, read) {
      const lines = async () => readings(name, await withDeadline(read, clock))
      add(name, { type: "counter", read: true, help, lines })
    },

    async render() {
      const blocks = await Promise.all(
        [...metrics].map(async ([name, { type, help, lines }]) => [
          `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
          `# TYPE ${name} ${type}`,
          ...(await lines()),
        ]),
      )
      return `${blocks.flat().join("\n")}\n`
    },
  }
}

/** One value per set of label values, at most `mostSeries` of them. */
class SeriesMap<L extends string, V> {
  readonly #names: readonly L[]
  readonly #make: () => V
  readonly #series = new Map<string, V>()
  /** The same by their words alone: five of these are asked for with each delivery, and writing labels costs more than counting. */
  readonly #byWords = new Map<string, V>()

  constructor(names: readonly L[], make: () => V) {
    this.#names = names
    this.#make = make
    // Without labels there is one series from the start: a counter that is missing cannot be told from one at zero.
    if (names.length === 0) this.#open("")
  }

  at(labels: Labels<L>): V {
    let words = ""
    for (const name of this.#names) words += `${labels[name]}\n`
    const known = this.#byWords.get(words)
    if (known !== undefined) return known
    const text = this.#text((name) => labels[name])
    const own = this.#series.get(text) ?? (this.#series.size < mostSeries ? this.#open(text) : null)
    if (own === null) {
      const other = this.#text(() => "other")
      return this.#series.get(other) ?? this.#open(other)
    }
    this.#byWords.set(words, own)
    return own
  }

  entries(): [string, V][] {
    return [...this.#series]
  }

  #text(wordOf: (name: L) => string): string {
    let text = ""
    for (const name of this.#names) text += `${text === "" ? "" : ","}${name}="${escaped(wordOf(name))}"`
    return text
  }

  #open(text: string): V {
    const made = this.#make()
    this.#series.set(text, made)
    return made
  }
}

async function withDeadline(read: GaugeReader, clock: Clock): Promise<Reading> {
  const late = Promise.withResolvers<null>()
  const timer = clock.after(gaugeDeadlineMs, () => late.resolve(null))
  try {
    return await Promise.race([read(), late.promise])
  } catch {
    // A reader's failure is its dependency's, which reports itself; the other metrics must still be served.
    return null
  } finally {
    timer.cancel()
  }
}

function readings(name: string, reading: Reading): readonly string[] {
  if (reading === null) return []
  if (typeof reading === "number") return [sample(name, "", reading)]
  return reading.slice(0, mostSeries).map(({ labels, value }) => {
    const text = Object.entries(labels).map(([label, word]) => `${label}="${escaped(word)}"`)
    return sample(name, text.join(","), value)
  })
}

function sample(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${number(value)}`
}

function joined(left: string, right: string): string {
  return left === "" ? right : `${left},${right}`
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

function escaped(value: string): string {
  return /["\\\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value
}
