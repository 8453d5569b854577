/**
 * Addresses as they are looked up: 16 bytes of a hash under this database's own key, apart by channel. It is made in the
 * statement, so that who only stores a message needs no answer first.
 */

/** An SQL expression of two text expressions; null where the address is. Address in the spelling of `sameSpelling`. */
export const hashOfAddress = (channel: string, address: string): string =>
  `substr(sha256((select key from address_key) || convert_to(${channel}::text || ':' || ${address}::text, 'UTF8')), 1, 16)`
