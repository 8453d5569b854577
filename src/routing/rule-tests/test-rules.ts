/** Runs the tests beside the rules: both folders are read as the hub reads them, and each test has a world of its own. */
import { loadRuleSet, type RuleFolders } from "../load.ts"
import { ErrorList, type RuleError } from "../rule-error.ts"
import { type Counts, readFolder } from "../rule-files.ts"
import { readRuleTests } from "./read-rule-tests.ts"
import { type Coverage, CoverageCount } from "./rule-coverage.ts"
import type { RuleTest } from "./rule-test.ts"
import { runRuleTest, type TestResult } from "./run-rule-test.ts"

export interface RulesTested {
  /** With one of them nothing was run. */
  readonly errors: readonly RuleError[]
  /** In the order of the files and of the tests in them. */
  readonly results: readonly TestResult[]
  /** Tests that were left out by their names. */
  readonly skipped: number
  /** Of the tests that ran; null where there are errors. */
  readonly coverage: Coverage | null
  readonly revision: string | null
}

const isTestFile: Counts = (path) => path.endsWith(".test.yaml")

/** `fits`: which tests are run. `wallMillis`: now, in milliseconds since the Unix epoch. */
export async function testRules(
  folders: RuleFolders,
  wallMillis: number,
  fits: (test: RuleTest) => boolean = () => true,
): Promise<RulesTested> {
  const nothing = { results: [], skipped: 0, coverage: null, revision: null }
  const loaded = await loadRuleSet(folders, wallMillis)
  if ("errors" in loaded) return { ...nothing, errors: loaded.errors }
  const ruleSet = loaded.ok
  const errors = new ErrorList()
  const files = await readFolder(folders.rulesDir, "rules", isTestFile, errors)
  const names = ruleSet.rules.map(({ name }) => name as string) // compared with words of a file
  const tests = [...files].flatMap(([path, text]) => readRuleTests(`rules/${path}`, text, names, errors))
  if (errors.count > 0) return { ...nothing, errors: errors.sorted() }
  const wanted = tests.filter(fits)
  const count = new CoverageCount(ruleSet)
  const results: TestResult[] = []
  for (const test of wanted) results.push(await runRuleTest(ruleSet, test, (world, plans) => count.see(world, plans)))
  const skipped = tests.length - wanted.length
  return { errors: [], results, skipped, coverage: count.coverage, revision: ruleSet.revision }
}
