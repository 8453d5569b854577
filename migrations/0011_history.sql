-- The history of streams is bounded by number, too: one node does it for all, every few minutes.
insert into chores (name) values ('history');
