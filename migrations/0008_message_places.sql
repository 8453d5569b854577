-- Messages that later news of the same thing takes the place of: where the last one of a rule's key to an address stands.
create table message_places (
  -- A hash of the rule's key, the channel and the address.
  key text collate "C" primary key,
  -- What it shows: the newest event so far, and the delivery that brought it. Null: nothing yet.
  event_id text collate "C",
  delivery_id text collate "C",
  -- What its provider calls the message.
  reference bytea,
  -- A delivery that is changing it: two that are sent at once would be two messages, or the older one's words.
  held_by text collate "C",
  held_until timestamptz,
  updated_at timestamptz not null default now()
);
create index message_places_by_age on message_places (updated_at);
