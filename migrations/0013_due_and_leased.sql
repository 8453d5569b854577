-- What is due and what is leased stands beside the deliveries: a claim and a settlement change their row in place, since
-- no index names what they change, and one index after the other is spared an entry for each state.

-- When a delivery that waits is to be looked at: one row for each, gone when it is claimed.
create table due (
  delivery_id text collate "C" not null,
  channel text not null,
  priority smallint not null,
  at timestamptz not null
);
create index due_next on due (channel, priority desc, at);

-- Who has been claimed together, and when to see whether any of them is still held: one row for each claim. That a
-- lease was renewed, or its delivery settled, is found then.
create table leases (
  until timestamptz not null,
  delivery_ids text[] not null
);
create index leases_until on leases (until);

-- Nobody writes a delivery meanwhile, or it would be missing here.
lock table deliveries in share row exclusive mode;
drop index deliveries_due;
drop index deliveries_leased;
drop index deliveries_by_status;
-- A claim and a settlement are each written beside the row as it was, on the same page: while anybody's transaction may
-- still see what was there before, it has room for all three.
alter table deliveries set (fillfactor = 33);
alter table deliveries
  -- How it ended, where neither delivered nor captured in its place: so few that an index of them costs nothing.
  add column undelivered text generated always as (
    case when status in ('dead', 'unknown', 'suppressed', 'expired', 'cancelled') then status end) stored;
create index deliveries_undelivered on deliveries (undelivered, id) where undelivered is not null;

insert into due (delivery_id, channel, priority, at)
select id, channel, priority, next_attempt_at from deliveries
where status in ('scheduled', 'queued', 'retrying') and next_attempt_at is not null;
insert into leases (until, delivery_ids)
select min(lease_until), array_agg(id)
from (select id, lease_until, (row_number() over (order by lease_until) - 1) / 1000 as piece
  from deliveries where status = 'sending' and lease_until is not null) held
group by piece;

-- Whatever makes a delivery wait, and whoever does, makes it due, and nothing that ends its wait leaves it so. A claim takes
-- its own rows out, and is not followed.
create function deliveries_made() returns trigger language plpgsql as $$
begin
  insert into due (delivery_id, channel, priority, at)
  select id, channel, priority, next_attempt_at from made
  where status in ('scheduled', 'queued', 'retrying') and next_attempt_at is not null;
  return null;
end $$;
create trigger deliveries_made after insert on deliveries referencing new table as made
  for each statement execute function deliveries_made();

create function delivery_moved() returns trigger language plpgsql as $$
begin
  if old.status in ('scheduled', 'queued', 'retrying') then
    delete from due
    where channel = old.channel and priority = old.priority and at = old.next_attempt_at and delivery_id = old.id;
  end if;
  if tg_op = 'DELETE' then
    return null;
  end if;
  if new.status in ('scheduled', 'queued', 'retrying') and new.next_attempt_at is not null then
    insert into due (delivery_id, channel, priority, at) values (new.id, new.channel, new.priority, new.next_attempt_at);
  elsif new.status = 'sending' then
    insert into leases (until, delivery_ids) values (new.lease_until, array[new.id]);
  end if;
  return null;
end $$;
create trigger delivery_moved after update of status, next_attempt_at, lease_until on deliveries for each row
  when (case when new.status = 'sending'
    -- A lease that ends sooner than its claim said, or that no claim gave: somebody's hand.
    then new.lease_until < case when old.status = 'sending' then old.lease_until when new.claimed_at is null then 'infinity' end
    else (case when old.status in ('scheduled', 'queued', 'retrying') then old.next_attempt_at end)
      is distinct from (case when new.status in ('scheduled', 'queued', 'retrying') then new.next_attempt_at end) end)
  execute function delivery_moved();
create trigger delivery_deleted after delete on deliveries for each row
  when (old.status in ('scheduled', 'queued', 'retrying')) execute function delivery_moved();

create function deliveries_emptied() returns trigger language plpgsql as $$
begin
  truncate due, leases;
  return null;
end $$;
create trigger deliveries_emptied after truncate on deliveries for each statement execute function deliveries_emptied();
