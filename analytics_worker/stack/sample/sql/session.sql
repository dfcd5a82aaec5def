-- Dates and months are in UTC, independent of the time zones of the server and the client.
set local timezone = 'UTC';
set local jit = off;
