// Whoever asks the database waits for its answer, for as long as that takes.
import { patch } from "./patch.ts"

patch("store/database.ts", [["    query_timeout: QUERY_DEADLINE_MS,\n", ""]])
