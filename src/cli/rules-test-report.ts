/** What `hub rules test` shows of a run. */
import type { Coverage } from "../routing/rule-tests/rule-coverage.ts"
import type { RuleTest, TestPlace } from "../routing/rule-tests/rule-test.ts"
import type { TestFailure, TestResult } from "../routing/rule-tests/run-rule-test.ts"
import type { RulesTested } from "../routing/rule-tests/test-rules.ts"

const at = ({ file, line, column }: TestPlace): string => `${file}:${line}:${column}`

/** A failed test, as it is read on a terminal. */
export const failureLines = (test: RuleTest, failures: readonly TestFailure[]): readonly string[] => [
  `FAIL ${at(test)} ${test.name}`,
  ...failures.flatMap((failure) => detailLines(failure).map((line) => `     ${line}`)),
  "",
]

export function detailLines({ place, problem, nearest, why }: TestFailure): readonly string[] {
  const width = Math.max(0, ...(nearest?.differences ?? []).map(({ field }) => field.length))
  return [
    `${at(place)} ${problem}`,
    ...(nearest === null
      ? []
      : [`  ${nearest.differences.length === 0 ? "there was" : "nearest"}: ${nearest.telling}`]),
    ...(nearest?.differences ?? []).flatMap(({ field, expected, was }) => [
      `    ${field.padEnd(width)}  - ${expected}`,
      ...was.split("\n").map((line) => `    ${"".padEnd(width)}  + ${line}`),
    ]),
    ...why.map((sentence) => `  why: ${sentence}`),
  ]
}

/** What no test tried, each at its place, and how much was. */
export function coverageLines(coverage: Coverage, least: number | null): readonly string[] {
  const { branches, covered, percent, rules, rulesCovered, uncovered } = coverage
  const short = least !== null && percent < least ? `, and ${least} % is asked for` : ""
  return [
    ...uncovered.map((branch) => `${at(branch)} not covered: ${branch.rule}: ${branch.missing}`),
    `Coverage: ${percent} % (${covered} of ${branches} branches, ${rulesCovered} of ${rules} rules whole)${short}.`,
  ]
}

export function summaryLine({ results, skipped }: RulesTested, ms: number): string {
  const failed = results.filter(({ failures }) => failures.length > 0).length
  const left = skipped === 0 ? "" : `, ${skipped} left out`
  return `${results.length - failed} passed, ${failed} failed${left} in ${ms} ms.`
}

/** The same for machines; times in milliseconds. */
export const jsonReport = ({ errors, results, skipped, coverage, revision }: RulesTested, ms: number) => ({
  errors,
  revision,
  ms,
  passed: results.filter(({ failures }) => failures.length === 0).length,
  failed: results.filter(({ failures }) => failures.length > 0).length,
  skipped,
  tests: results.map(({ test: { name, file, line, column }, failures }: TestResult) => ({
    name,
    file,
    line,
    column,
    failures,
  })),
  coverage,
})
