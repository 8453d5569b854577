/** `hub rules schema`: what editors need to complete and underline rule files. */
import { RULE_SCHEMA } from "../routing/language/rule-schema.ts"
import { TEST_SCHEMA } from "../routing/rule-tests/rule-test-schema.ts"
import { type Command, flags } from "./command.ts"

export const rulesSchema: Command = {
  name: "rules schema",
  usage: "[--tests] [--json]",
  summary: "print the JSON Schema of rule files, or of their tests, for editors",
  async run(invocation) {
    const { values } = flags(invocation, { tests: { type: "boolean", default: false } }, 0)
    invocation.out(JSON.stringify(values.tests ? TEST_SCHEMA : RULE_SCHEMA, null, 2))
    return 0
  },
}
