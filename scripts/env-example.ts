/**
 * Prints `.env.example` from the table of settings: `bun scripts/env-example.ts > .env.example`. A test compares the
 * committed file with it, so a setting cannot be added without its line here.
 */
import { environmentFile } from "../src/config.ts"

process.stdout.write(environmentFile())
