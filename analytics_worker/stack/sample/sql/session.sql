-- Dates and months are those of UTC, whatever the server or the client is set to.
set local timezone = 'UTC';
set local jit = off;
