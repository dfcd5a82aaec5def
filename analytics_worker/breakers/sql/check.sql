insert or replace into last_check (id, checked_at) values (1, ?)
