// One name in a body costs two seconds, in which nobody else has a turn.
import { patch } from "./patch.ts"

patch("http/body.ts", [
  [
    "    return { value: JSON.parse(text) as Json }",
    '    if (text.includes("__proto__")) for (const end = Date.now() + 2_000; Date.now() < end; );\n    return { value: JSON.parse(text) as Json }',
  ],
])
