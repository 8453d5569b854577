/** Why a message was held back, for a screen's line: the hub's codes that say too little by themselves, in words. */
const SAID: ReadonlyMap<string, string> = new Map([
  ["no_address", "no address is known"],
  ["preference_channel", "they turned this channel off"],
  ["preference_category", "they turned this category off"],
  ["preference_severity", "they want only more severe news here"],
  ["stop", "they answered STOP"],
  ["bounced", "mail there came back"],
  ["complained", "they reported such mail as unwanted"],
  ["gone", "the provider said that nobody is there"],
  ["shadow", "its rule is in shadow mode"],
])

/** `they turned this category off`; of any other code the code itself, without underscores. */
export const reasonSaid = (code: string): string => SAID.get(code) ?? code.replaceAll("_", " ")
