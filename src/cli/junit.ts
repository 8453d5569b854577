/** Results as JUnit's XML, which continuous integration shows: a suite for each file. */
import { explainRuleError } from "../routing/rule-error.ts"
import type { TestResult } from "../routing/rule-tests/run-rule-test.ts"
import type { RulesTested } from "../routing/rule-tests/test-rules.ts"
import { detailLines } from "./rules-test-report.ts"

/** `ms`: how long all of it took. Where something does not load no test was run, and the report says why. */
export function junit({ results, errors }: Pick<RulesTested, "results" | "errors">, ms: number): string {
  const suites = [...Map.groupBy(results, ({ test }) => test.file)]
  const unloaded = [...Map.groupBy(errors, ({ file }) => file)]
  const time = (ms / 1_000).toFixed(3)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="hub rules test" ${counts(results, unloaded.length)} time="${time}">`,
    ...unloaded.flatMap(([file, own]) => [
      `  <testsuite name="${escaped(file)}" ${counts([], 1)}>`,
      `    <testcase name="loads" classname="${escaped(file)}" file="${escaped(file)}">`,
      ...own.map(
        (error) => `      <error message="${escaped(error.problem)}">${escaped(explainRuleError(error))}</error>`,
      ),
      "    </testcase>",
      "  </testsuite>",
    ]),
    ...suites.flatMap(([file, own]) => [
      `  <testsuite name="${escaped(file)}" ${counts(own)}>`,
      ...own.flatMap(testCase),
      "  </testsuite>",
    ]),
    "</testsuites>",
    "",
  ].join("\n")
}

const counts = (results: readonly TestResult[], errors = 0): string =>
  `tests="${results.length + errors}" failures="${results.filter(({ failures }) => failures.length > 0).length}" errors="${errors}"`

function testCase({ test: { name, file, line }, failures }: TestResult): readonly string[] {
  const open = `    <testcase name="${escaped(name)}" classname="${escaped(file)}" file="${escaped(file)}" line="${line}"`
  if (failures.length === 0) return [`${open}/>`]
  return [
    `${open}>`,
    ...failures.map((failure) => {
      const text = escaped(detailLines(failure).join("\n"))
      return `      <failure message="${escaped(failure.problem)}">${text}</failure>`
    }),
    "    </testcase>",
  ]
}

const NAMED: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" }

/** XML 1.0 has no way at all to write most control characters, nor half a surrogate pair. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>"']/g, (mark) => NAMED[mark] ?? mark)
