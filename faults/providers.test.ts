import { providerChaos } from "./07-provider-chaos.ts"
import { channelDead } from "./08-channel-dead.ts"
import { shows } from "./shown.ts"

shows(channelDead, "a provider that answers nothing keeps nobody waiting but those who wait for it")
shows(providerChaos, "whatever a provider answers is taken for what it is, and every message ends as it should")
