-- An event or a timer may be what its hub dies of. How often one was tried alone, written before the work and taken back
-- by whoever lives on: what is left says that nobody did.
alter table routing_queue add column crashes int not null default 0;
alter table timers add column crashes int not null default 0;
