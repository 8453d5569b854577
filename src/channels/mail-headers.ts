/** RFC 8058: what lets a mail client stop these mails at a press of its own button. */
import type { EmailMessage } from "../domain/message.ts"

/** None where the mail has no such link. Only a POST to it acts, so a scanner that follows links changes nothing. */
export const unsubscribeHeaders = ({ unsubscribeUrl }: EmailMessage): Readonly<Record<string, string>> =>
  typeof unsubscribeUrl !== "string"
    ? {}
    : { "List-Unsubscribe": `<${unsubscribeUrl}>`, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click" }
