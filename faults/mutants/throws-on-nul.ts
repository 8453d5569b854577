// A NUL in a query reaches the database, which has no such text: one value of one parameter, and 500.
import { patch } from "./patch.ts"

patch("http/route.ts", [['value.replaceAll("\\0", "\\ufffd")', "value"]])
