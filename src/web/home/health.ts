/** The strip that says how the hub is. It needs no token, so it also tells a visitor at the door that somebody is home. */
import { el, part } from "./dom.ts"
import { type Fields, type HealthPart, readHealth } from "./shapes.ts"

const DEADLINE_MS = 5_000
const FACTS_SHOWN = 3

const NAMES: ReadonlyMap<string, string> = new Map([
  ["database", "Database"],
  ["rules", "Rules"],
  ["nats", "NATS"],
  ["channels", "Channels"],
  ["work", "Work"],
  ["due", "Due work"],
])

/** Asks once and redraws the strip. */
export async function showHealth(): Promise<void> {
  const place = part("health", HTMLElement)
  const cells = await ask()
  // A strip that says the same is left alone, so that nobody loses their place in it.
  if (place.textContent !== cells.map((cell) => cell.textContent).join("")) place.replaceChildren(...cells)
}

async function ask(): Promise<readonly HTMLElement[]> {
  try {
    const response = await fetch(new URL("health/detailed", document.baseURI), {
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const health = response.ok ? readHealth(await response.json()) : null
    if (health !== null) return health.parts.flatMap(cellsOf)
  } catch {
    // Said below, in the same words as an answer that cannot be read.
  }
  return [cell("Hub", "down", "does not answer")]
}

function cellsOf(part: HealthPart): readonly HTMLElement[] {
  return [cell(NAMES.get(part.name) ?? plain(part.name), part.status, factsOf(part.detail))]
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ["up", "fine"],
  ["degraded", "degraded"],
  ["down", "down"],
])

const cell = (name: string, status: string, said: string): HTMLElement =>
  el(
    "div",
    { class: "cell", "data-status": status },
    el("span", { class: "dot" }),
    el("span", { class: "name" }, name),
    el("span", { class: "state" }, WORDS.get(status) ?? status),
    said === "" ? null : el("span", { class: "said" }, said),
  )

/** The part's own figures, in words: the first few that are plain values. */
function factsOf(detail: Fields): string {
  return Object.entries(detail)
    .flatMap(([name, value]) => factOf(name, value))
    .slice(0, FACTS_SHOWN)
    .join(" · ")
}

function factOf(name: string, value: unknown): readonly string[] {
  if (typeof value === "number") {
    const unit = /(?:^|_)(ms|seconds)$/.exec(name)?.[1]
    const label = name.replace(/_?(ms|seconds)$/, "")
    const amount = unit === undefined ? String(value) : `${value} ${unit === "ms" ? "ms" : "s"}`
    return [label === "" ? amount : `${plain(label).toLowerCase()} ${amount}`]
  }
  if (typeof value === "string" && value !== "") {
    // A revision is a long hash: its beginning tells two apart.
    return [name.includes("revision") ? `revision ${value.slice(0, 10)}` : value]
  }
  return []
}

const plain = (name: string): string => {
  const spaced = name.replaceAll("_", " ")
  return spaced.charAt(0).toUpperCase() + spaced.slice(1)
}
