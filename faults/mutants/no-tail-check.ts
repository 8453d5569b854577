// How far the streams go is asked, and nobody listens: a lost hint with nothing after it is never found.
import { patch } from "./patch.ts"

patch("realtime/topic-actor.ts", [["      sequencer.reaches(position)\n", ""]])
