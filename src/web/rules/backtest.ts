/** The view of the last backtest: the hub's, or a report file that is opened here and goes nowhere. */
import type { Api } from "../shared/api.ts"
import { el, part } from "../shared/dom.ts"
import { fields, textOrNull } from "../shared/fields.ts"
import { moment } from "../shared/moment.ts"
import { readReport } from "./backtest-report.ts"
import { reportView } from "./backtest-view.ts"

export interface Backtest {
  load(): Promise<void>
}

export function createBacktest(api: Api): Backtest {
  const place = part("backtest", HTMLDivElement)
  const when = part("backtest-when", HTMLParagraphElement)
  const problem = part("backtest-problem", HTMLParagraphElement)
  const file = part("backtest-file", HTMLInputElement)

  const complain = (why: string | null): void => {
    problem.hidden = why === null
    problem.textContent = why
  }

  file.addEventListener("change", () => {
    const [chosen] = file.files ?? []
    file.value = ""
    if (chosen === undefined) return
    void chosen.text().then((text) => {
      const report = readReport(parsed(text))
      complain(report === null ? `${chosen.name} is no report of "hub rules backtest --json".` : null)
      if (report === null) return
      when.replaceChildren(`From the file ${chosen.name}`)
      place.replaceChildren(...reportView(report))
    })
  })

  return {
    async load() {
      const answer = await api.call("GET", "v1/rules/backtests/last")
      if (answer.kind === "refused") return
      const stored = answer.kind === "ok" ? fields(answer.body) : null
      const report = readReport(stored?.["report"])
      const none = answer.kind === "failed" && answer.status === 404
      complain(
        report !== null || none ? null : answer.kind === "failed" ? `${answer.detail}.` : "It could not be read.",
      )
      const finished = textOrNull(stored?.["finished_at"])
      when.replaceChildren(...(finished === null ? [] : ["Run ", moment(finished)]))
      place.replaceChildren(...(report === null ? (none ? [nothing()] : []) : reportView(report)))
    },
  }
}

const nothing = (): HTMLElement =>
  el(
    "div",
    { class: "empty" },
    el(
      "p",
      {},
      "No backtest has been run against this hub’s database yet. It shows what a change of the rules would have done to the events that were recorded, and sends nothing:",
    ),
    el("pre", { class: "command" }, el("code", {}, "npm run hub -- rules backtest --base main --since 7d")),
  )

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
