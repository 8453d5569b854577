/** The captured channels' providers: what each does now, and the dialog that lets one fail. */
import type { Api } from "../shared/api.ts"
import { el, icon, part } from "../shared/dom.ts"
import { each, fields, text, textOrNull } from "../shared/fields.ts"

export interface Provider {
  readonly channel: string
  readonly failing: { readonly failure: string; readonly left: number } | null
  /** What opened its breaker. */
  readonly paused: string | null
}

const NAMES: Readonly<Record<string, string>> = {
  email: "Email",
  sms: "SMS",
  voice: "Calls",
  telegram: "Telegram",
  slack: "Slack",
  push: "Push",
  webhook: "Systems",
}
const nameOf = (channel: string): string => NAMES[channel] ?? channel

/** Short for the strip. */
const SHORT: Readonly<Record<string, string>> = {
  rate_limited: "429",
  server_error: "500",
  hang: "hangs",
  gone: "gone",
  bad_credential: "401",
  answer_lost: "answer lost",
}

export function readProviders(body: unknown): readonly Provider[] {
  return each(fields(body)?.["channels"], (value): Provider | null => {
    const of = fields(value)
    const channel = textOrNull(of?.["channel"])
    if (of === null || channel === null) return null
    const failing = fields(of["failing"])
    const left = failing?.["left"]
    return {
      channel,
      failing:
        failing === null ? null : { failure: text(failing["failure"]), left: typeof left === "number" ? left : 0 },
      paused: textOrNull(of["paused"]),
    }
  })
}

/** `well`, `429 × 3`, `paused: bad credential`. */
export function stateOf({ failing, paused }: Provider): { readonly state: string; readonly words: string } {
  const fails = failing === null ? "" : `${SHORT[failing.failure] ?? failing.failure} × ${failing.left}`
  if (paused !== null)
    return { state: "paused", words: `paused: ${paused.replaceAll("_", " ")}${fails === "" ? "" : `; ${fails}`}` }
  return failing === null ? { state: "well", words: "well" } : { state: "failing", words: fails }
}

export interface Providers {
  /** Asks for their state; null where this hub has no such switch. */
  load(): Promise<ReadonlySet<string> | null>
}

/** Draws into `#providers`, and opens `#failing`. */
export function createProviders(api: Api, signal: AbortSignal): Providers {
  const strip = part("providers", HTMLElement)
  const dialog = part("failing", HTMLDialogElement)
  const form = part("failing-form", HTMLFormElement)
  const problem = part("failing-problem", HTMLParagraphElement)
  const title = part("failing-title", HTMLElement)
  const times = part("failing-times", HTMLInputElement)
  const wish = part("failing-wish", HTMLInputElement)
  const wishRow = part("failing-wish-row", HTMLElement)
  const chips = new Map<string, HTMLButtonElement>()
  let about = ""

  const chosen = (): string => new FormData(form).get("failure")?.toString() ?? ""
  const fit = (): void => {
    wishRow.hidden = chosen() !== "rate_limited"
  }
  const open = (provider: Provider): void => {
    about = provider.channel
    title.textContent = `What does the provider of ${nameOf(about)} do next?`
    problem.hidden = true
    const failure = provider.failing?.failure ?? "rate_limited"
    for (const node of form.querySelectorAll<HTMLInputElement>("input[name=failure]"))
      node.checked = node.value === failure
    fit()
    dialog.showModal()
  }
  const tell = async (body: Readonly<Record<string, unknown>>): Promise<void> => {
    const answer = await api.call("POST", "admin/outbox/failures", { channel: about, ...body })
    if (signal.aborted) return
    problem.hidden = answer.kind === "ok"
    if (answer.kind !== "ok") {
      problem.textContent = `Not done: ${answer.detail}.`
      return
    }
    dialog.close()
    await load()
  }
  const draw = (providers: readonly Provider[]): void => {
    for (const provider of providers) {
      const { channel } = provider
      const { state, words } = stateOf(provider)
      let chip = chips.get(channel)
      if (chip === undefined) {
        chip = el("button", { type: "button", class: "provider" })
        chips.set(channel, chip)
        strip.append(chip)
      }
      chip.onclick = () => open(provider)
      const said = `${nameOf(channel)}: ${words}`
      if (chip.title === said) continue
      chip.title = said
      chip.dataset["state"] = state
      chip.replaceChildren(
        icon(channel),
        el("span", { class: "provider-name" }, nameOf(channel)),
        el("span", { class: state === "well" ? "visually-hidden" : "provider-state" }, words),
      )
    }
    strip.hidden = providers.length === 0
  }
  const load = async (): Promise<ReadonlySet<string> | null> => {
    const answer = await api.call("GET", "admin/outbox")
    if (signal.aborted || answer.kind !== "ok") return null
    const providers = readProviders(answer.body)
    draw(providers)
    return new Set(providers.map(({ channel }) => channel))
  }

  form.addEventListener("change", fit, { signal })
  form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault()
      const seconds = wish.value.trim() === "" || wishRow.hidden ? null : Number(wish.value)
      void tell({ failure: chosen(), times: Number(times.value), retry_after: seconds })
    },
    { signal },
  )
  part("failing-well", HTMLButtonElement).addEventListener("click", () => void tell({ failure: null }), { signal })
  part("failing-close", HTMLButtonElement).addEventListener("click", () => dialog.close(), { signal })
  signal.addEventListener("abort", () => {
    dialog.close()
    strip.replaceChildren()
    strip.hidden = true
  })
  return { load }
}
