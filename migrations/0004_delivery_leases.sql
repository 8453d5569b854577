-- What the lease and the retry budget need beside the attempt, which is the fence and only ever grows while it is held.
alter table deliveries
  -- Attempts that do not count: our own credential was at fault, or they lie before a replay.
  add column forgiven int not null default 0,
  -- A replayed dead letter starts its age anew; created_at stays what it was.
  add column replayed_at timestamptz,
  -- When the running attempt began.
  add column claimed_at timestamptz,
  -- Claims look at one priority after the other, highest first.
  add check (priority between 0 and 2);
