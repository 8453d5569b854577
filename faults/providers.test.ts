import { providerChaos } from "./07-provider-chaos.ts"
import { channelDead } from "./08-channel-dead.ts"
import { retryHerd } from "./33-retry-herd.ts"
import { contentInjection } from "./46-content-injection.ts"
import { shows } from "./shown.ts"

shows(channelDead, "a provider that answers nothing keeps nobody waiting but those who wait for it")
shows(providerChaos, "whatever a provider answers is taken for what it is, and every message ends as it should")
shows(retryHerd, "what fails together is not tried again together, nor faster than is allowed")
shows(contentInjection, "words that are markup, mentions, headers or code reach their one reader as words")
