-- Chance without random(): the same row id always draws the same lot. Every lot has a name, so
-- that two lots of one row are independent. The functions live in this session only.

-- Uniform in [0, 1).
create or replace function pg_temp.lot(id bigint, name text) returns double precision
language sql immutable parallel safe as $$
    select ((hashint8extended(id, hashtextextended(name, 0)) >> 11) & 9007199254740991)
        ::double precision / 9007199254740992
$$;

-- Standard normal (Box and Muller).
create or replace function pg_temp.bell(id bigint, name text) returns double precision
language sql immutable parallel safe as $$
    select sqrt(-2 * ln(1 - pg_temp.lot(id, name))) * cos(2 * pi() * pg_temp.lot(id, name || '~'))
$$;

-- One entry of a list, each as likely as the other.
create or replace function pg_temp.one_of(choices text[], id bigint, name text) returns text
language sql immutable parallel safe as $$
    select choices[1 + floor(pg_temp.lot(id, name) * cardinality(choices))::integer]
$$;

-- Saturdays and Sundays become the following Monday or Tuesday.
create or replace function pg_temp.workday(moment timestamptz) returns timestamptz
language sql stable parallel safe as $$
    select case when extract(isodow from moment) >= 6 then moment + interval '2 days' else moment end
$$;

-- Net price per month decides the plan that a customer is on.
create or replace function pg_temp.plan_for(amount numeric) returns text
language sql immutable parallel safe as $$
    select case when amount < 6000 then 'starter' when amount < 25000 then 'growth' else 'enterprise' end
$$;
