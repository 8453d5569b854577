-- What people and providers answer: receipts, STOP, acknowledgements and replies.

-- Addresses are looked up by a hash under a key of this database's own: a list of opted-out numbers cannot be read back,
-- and outlives whoever's they were.
create table address_key (
  one boolean primary key default true check (one),
  key bytea not null
);
insert into address_key (key) values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- Where a message went: with the message and not with its delivery, whose row changes several times, and each change of
-- it would be another entry in this index.
alter table messages add column sent_to bytea;
create index messages_by_address on messages (sent_to, delivery_id) where sent_to is not null;

-- Receipts name the provider's id.
create index attempts_by_provider_message on attempts (provider_message_id) where provider_message_id is not null;

-- Addresses that nothing is sent to on a channel until they say otherwise.
create table suppressions (
  address bytea primary key,
  channel text not null,
  -- stop, bounced, complained, unsubscribed.
  reason text not null,
  since timestamptz not null default now()
);

-- Answers that have had their effect, by the provider's id: one that is sent again has none.
create table inbound_seen (
  key text collate "C" primary key,
  seen_at timestamptz not null default now()
);
create index inbound_seen_by_age on inbound_seen (seen_at);

-- Telegram gives its updates to one who asks.
insert into chores (name) values ('telegram_updates');
