import { channelDead } from "./08-channel-dead.ts"
import { shows } from "./shown.ts"

shows(channelDead, "a provider that answers nothing keeps nobody waiting but those who wait for it")
