/** The JSON Schema (2020-12) of tests beside rules, for editors: from the tables that their reader uses. */
import { SEVERITY_RANK } from "../../domain/event.ts"
import type { JsonObject } from "../../domain/json.ts"
import { DIALECT, DURATION, objectSchema } from "../language/rule-schema.ts"
import {
  DEVICE,
  MEMBERSHIP,
  PREFS,
  QUIET_HOURS,
  REACTION,
  RECIPIENT,
  STEP,
  TELLING,
  TEST,
  TEST_EVENT,
  TEST_FILE,
} from "./rule-test-language.ts"

/** The schema of `rules/**.test.yaml`. */
export const TEST_SCHEMA: JsonObject = {
  $schema: DIALECT,
  title: "Tests of Hubbub's rules",
  ...objectSchema(TEST_FILE),
  $defs: {
    test: objectSchema(TEST),
    step: objectSchema(STEP),
    event: objectSchema(TEST_EVENT),
    recipient: objectSchema(RECIPIENT),
    membership: objectSchema(MEMBERSHIP),
    device: objectSchema(DEVICE),
    prefs: objectSchema(PREFS),
    quiet_hours: objectSchema(QUIET_HOURS),
    reaction: objectSchema(REACTION),
    expectation: objectSchema(TELLING),
    severity: { enum: Object.keys(SEVERITY_RANK) },
    duration: DURATION,
  },
}
