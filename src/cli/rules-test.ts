/** `hub rules test`: do the rules what the tests beside them say? In memory, on a clock of their own; nothing is sent. */
import { writeFile } from "node:fs/promises"
import type { RuleFolders } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import { type RulesTested, testRules } from "../routing/rule-tests/test-rules.ts"
import { type Command, type ExitCode, flags, type Invocation, Misuse } from "./command.ts"
import { junit } from "./junit.ts"
import { rulesFolders } from "./rules-folders.ts"
import { coverageLines, failureLines, jsonReport, summaryLine } from "./rules-test-report.ts"
import { watchFolders } from "./watch-folders.ts"

export const rulesTest: Command = {
  name: "rules test",
  usage:
    "[--rules rules] [--templates templates] [--filter text] [--coverage] [--min-coverage 100] [--junit file] [--watch] [--verbose] [--json]",
  summary: "run the tests beside the rules, *.test.yaml",
  async run(invocation) {
    const { values } = flags(
      invocation,
      {
        rules: { type: "string" },
        templates: { type: "string" },
        filter: { type: "string" },
        coverage: { type: "boolean", default: false },
        "min-coverage": { type: "string" },
        junit: { type: "string" },
        watch: { type: "boolean", default: false },
        verbose: { type: "boolean", default: false },
      },
      0,
    )
    const asked: Asked = {
      folders: await rulesFolders(invocation, values),
      filter: values.filter?.toLowerCase() ?? "",
      least: leastCoverage(values["min-coverage"]),
      coverage: values.coverage,
      junit: values.junit ?? null,
      verbose: values.verbose,
      json: values.json,
    }
    if (!values.watch) return once(invocation, asked)
    if (values.json) throw new Misuse("--watch is for people: not with --json")
    return watchFolders(Object.values(asked.folders), async () => {
      if (process.stdout.isTTY) invocation.out("\u001b[2J\u001b[3J\u001b[H")
      await once(invocation, asked)
      invocation.out("Waiting for a change of rules, tests or templates. Ctrl-C ends.")
    })
  },
}

interface Asked {
  readonly folders: RuleFolders
  /** In lower case. */
  readonly filter: string
  /** Percent, or null. */
  readonly least: number | null
  readonly coverage: boolean
  readonly junit: string | null
  readonly verbose: boolean
  readonly json: boolean
}

function leastCoverage(given: string | undefined): number | null {
  if (given === undefined) return null
  const percent = /^\d{1,3}$/.test(given) ? Number(given) : Number.NaN
  if (percent <= 100) return percent
  throw new Misuse(`--min-coverage takes a whole number from 0 to 100, not ${given}`)
}

async function once(invocation: Invocation, asked: Asked): Promise<ExitCode> {
  const began = performance.now()
  const tested = await testRules(asked.folders, Date.now(), ({ name, file }) =>
    `${file} ${name}`.toLowerCase().includes(asked.filter),
  )
  const ms = Math.round(performance.now() - began)
  const code = verdict(tested, asked)
  if (asked.junit !== null) await report(asked.junit, junit(tested, ms))
  if (asked.json) invocation.out(JSON.stringify(jsonReport(tested, ms)))
  else print(invocation, tested, asked, ms)
  return code
}

async function report(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new Misuse(`--junit: ${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function verdict({ errors, results, coverage }: RulesTested, { least }: Asked): ExitCode {
  const failed = errors.length > 0 || results.some(({ failures }) => failures.length > 0)
  // That nothing was looked at is not that nothing is wrong.
  const short = least !== null && (coverage === null || coverage.percent < least)
  return failed || short || results.length === 0 ? 1 : 0
}

function print({ out, err }: Invocation, tested: RulesTested, asked: Asked, ms: number): void {
  const { errors, results, coverage } = tested
  for (const error of errors) out(explainRuleError(error))
  if (errors.length > 0) {
    err(`${errors.length} ${errors.length === 1 ? "error" : "errors"}. No test was run.`)
    return
  }
  for (const { test, failures } of results) {
    if (failures.length > 0) for (const line of failureLines(test, failures)) out(line)
    else if (asked.verbose) out(`ok   ${test.file}:${test.line} ${test.name}`)
  }
  if (coverage !== null && (asked.coverage || asked.least !== null)) {
    for (const line of coverageLines(coverage, asked.least)) out(line)
  }
  if (results.length === 0) err(asked.filter === "" ? "There is no test: no file ends in .test.yaml." : "No test fits.")
  else out(summaryLine(tested, ms))
}
