/** What every mail says to programs, whoever carries it. */
import type { EmailMessage } from "../domain/message.ts"

/**
 * RFC 3834: what answers by itself, such as an absence, shall not answer us, or a rule that answers replies goes on for ever.
 * RFC 8058, of mail that has such a link: a mail client stops these mails at a press of its own button. Only a POST to it
 * acts, so a scanner that follows links changes nothing.
 */
export const mailHeaders = ({ unsubscribeUrl }: EmailMessage): Readonly<Record<string, string>> => ({
  "Auto-Submitted": "auto-generated",
  ...(typeof unsubscribeUrl === "string" && {
    "List-Unsubscribe": `<${unsubscribeUrl}>`,
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
  }),
})
