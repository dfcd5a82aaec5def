insert into raw.owners (owner_id, full_name, email, team, hired_on, deleted_at, updated_at)
with named as (
    select
        n as owner_id,
        pg_temp.one_of(array[
            'Zoë', 'José', 'Łukasz', 'Søren', 'Anaïs', 'Jürgen', 'Chloé', 'Siân', 'Ayşe', 'Björn', 'Iñigo', 'Márta',
            'Ana', 'Peter', 'Grace', 'Kofi', 'Mei', 'Ravi', 'Sara', 'Tom', 'Lena', 'Omar', 'Nora', 'Diego'
        ], n, 'first name') as first_name,
        pg_temp.one_of(array[
            'Müller', 'Núñez', 'Kowalczyk', 'Ångström', 'Lefèvre', 'O''Brien', 'Dvořák', 'Yıldız', 'Sørensen', 'Conceição',
            'Smith', 'Okafor', 'Chen', 'Patel', 'Rossi', 'Novak', 'Haddad', 'Van den Berg', 'Johansson', 'García'
        ], n, 'last name') as last_name,
        clock.as_of
    from generate_series(1, cast(greatest(8, least(400, :opportunities / 1250)) as bigint)) as series (n)
    cross join sample_clock as clock
)

select
    owner_id,
    first_name || ' ' || last_name,
    'owner' || owner_id || '@sales.example',
    pg_temp.one_of(array['EMEA', 'EMEA', 'Americas', 'Americas', 'APAC', 'Nordics'], owner_id, 'team'),
    cast(as_of - (1200 + 2000 * pg_temp.lot(owner_id, 'hired')) * interval '1 day' as date),
    case when owner_id % 8 = 5 then as_of - (30 + 600 * pg_temp.lot(owner_id, 'left')) * interval '1 day' end,
    as_of - (1 + 29 * pg_temp.lot(owner_id, 'touched')) * interval '1 day'
from named;

-- Deals that came in after their owner had left were handed to a colleague, most of them.
update sample_deal as deal
set owner_id = 1 + owner.owner_id % (select count(*) from raw.owners)
from raw.owners as owner
where
    owner.owner_id = deal.owner_id
    and owner.deleted_at < deal.created_at
    and pg_temp.lot(deal.deal_id, 'orphan') < 0.97;

-- A customer is known some weeks before the first deal with them.
insert into raw.accounts (
    account_id, owner_id, name, industry, country, employees, contact_name, contact_email, created_at, updated_at
)
with first_deals as (
    select account_id, min(created_at) as first_deal_at
    from sample_deal
    group by account_id
),

placed as (
    select
        n as account_id,
        clock.as_of,
        coalesce(first_deals.first_deal_at, clock.as_of - 1000 * pg_temp.lot(n, 'known') * interval '1 day')
        - exp(2 + pg_temp.bell(n, 'known before')) * interval '1 day' as created_at,
        1 + floor(pg_temp.lot(n, 'owner') ^ 1.3 * (select count(*) from raw.owners))::bigint as owner_id,
        pg_temp.one_of(array['Müller', 'Åkerlund', 'Peña', 'Côté', 'Żak', 'Ōtani', 'Brøgger', 'Castellanos', 'Harper', 'Ibe',
            'Lindqvist', 'Moreau', 'Şahin', 'Tanaka', 'Whitfield', 'Zhao', 'Fernández', 'Groß', 'Kaya', 'D''Angelo',
            'Alder', 'Blue Harbour', 'Northwind', 'Cedar', 'Silverline', 'Kestrel', 'Larch', 'Meridian'], n, 'family') as family,
        pg_temp.one_of(array['Logistics', 'Foods', 'Energy', 'Health', 'Software', 'Textiles', 'Optics', 'Robotics', 'Media',
            'Travel', 'Insurance', 'Steel', 'Paper', 'Pharma', 'Retail', 'Marine'], n, 'trade') as trade,
        pg_temp.one_of(array['DE', 'DE', 'FR', 'ES', 'SE', 'PL', 'GB', 'GB', 'US', 'US', 'US', 'JP', 'BR', 'TR', 'NL'], n, 'country') as country
    from generate_series(1, cast(greatest(1, :opportunities / 4) as bigint)) as series (n)
    cross join sample_clock as clock
    left join first_deals on n = first_deals.account_id
)

select
    account_id,
    case when pg_temp.lot(account_id, 'unassigned') >= 0.015 then owner_id end,
    concat_ws(' ', family, trade, case country
        when 'DE' then 'GmbH' when 'FR' then 'S.à r.l.' when 'ES' then 'S.A.' when 'SE' then 'AB' when 'PL' then 'Sp. z o.o.'
        when 'GB' then 'Ltd' when 'US' then 'Inc.' when 'JP' then '株式会社' when 'BR' then 'Ltda.' when 'TR' then 'A.Ş.' else 'B.V.'
    end),
    case when pg_temp.lot(account_id, 'no industry') >= 0.07 then lower(trade) end,
    country,
    case when pg_temp.lot(account_id, 'no size') >= 0.1 then ceil(exp(4 + 1.4 * pg_temp.bell(account_id, 'size')))::integer end,
    pg_temp.one_of(array['Amélie', 'Bruno', 'Çağla', 'Dörte', 'Eoin', 'Fátima', 'Göran', 'Hana', 'Inés', 'Jakub'], account_id, 'contact')
    || ' ' || family,
    case when pg_temp.lot(account_id, 'no address') >= 0.03 then 'contact' || account_id || '@customer.example' end,
    created_at,
    created_at + pg_temp.lot(account_id, 'touched') * (as_of - created_at)
from placed;
