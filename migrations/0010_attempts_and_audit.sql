-- Why a try was or was not the last, who changed what, and that neither is ever rewritten.

-- A number is given out once and settled once, which the fence holds; were it to break, the row would be refused.
alter table attempts drop constraint attempts_pkey, add primary key (delivery_id, number);
alter table attempts
  -- What the delivery became by it, the code of why, and when it was to be tried again. Null: of an older version.
  add column became text,
  add column because text,
  add column again_at timestamptz;

-- One entry for each thing that an operator did. Each holds the hash of the one before it, so that whoever changes,
-- removes or inserts one breaks the chain at that place.
create table audit_log (
  seq bigint primary key,
  at timestamptz not null,
  -- A key's id, `person:<id>`, or `cli`.
  actor text not null,
  action text not null,
  -- Null: of the whole hub; else the businesses that the actor was confined to.
  businesses text[],
  -- Makes an action that is asked for again the same one.
  key text unique,
  -- What was asked and what came of it: no address, no secret.
  detail jsonb not null,
  previous bytea not null,
  hash bytea not null
);
-- The chain's end. Who appends holds it, so that entries have one order.
create table audit_head (
  one boolean primary key default true check (one),
  seq bigint not null,
  hash bytea not null
);
insert into audit_head (seq, hash) values (0, '\x00');

create function refuse_rewriting() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
-- Tries go with their delivery when its time is over: retention deletes, nobody updates.
create trigger attempts_are_append_only before update on attempts
  for each statement execute function refuse_rewriting();
create trigger audit_is_append_only before update or delete or truncate on audit_log
  for each statement execute function refuse_rewriting();

alter table deliveries
  -- With what it was last tried: the hub's own account, its bot, a device's platform, the host of a URL that its rule or
  -- reader named.
  add column account text;

-- Until when a channel's replays are spread: the next one begins behind it.
create table replay_pace (
  channel text primary key,
  until timestamptz not null
);
