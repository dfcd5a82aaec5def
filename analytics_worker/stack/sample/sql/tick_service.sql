-- What the minutes of tick_sales.sql bring to billing and compliance.

-- Won deals become subscriptions; now and then one ends.
insert into raw.subscriptions (subscription_id, account_id, opportunity_id, plan, monthly_amount, started_on, updated_at)
select
    tick.last_subscription + row_number() over (order by deal.opportunity_id),
    deal.account_id,
    deal.opportunity_id,
    pg_temp.plan_for(deal.amount),
    round(deal.amount / 12, 2),
    cast(move.moved_at as date),
    move.moved_at
from sample_move as move
cross join sample_tick as tick
inner join raw.opportunities as deal on move.opportunity_id = deal.opportunity_id
where move.to_stage = 'closed_won';

update raw.subscriptions as subscription
set ended_on = cast(tick.until_at as date), end_reason = 'price', updated_at = pg_temp.within_tick(subscription.subscription_id, 'ended')
from sample_tick as tick
where
    subscription.subscription_id = 1 + floor(pg_temp.lot(tick.last_move, 'who ends') * tick.last_subscription)::bigint
    and subscription.ended_on is null
    and subscription.started_on < cast(tick.until_at as date)
    and pg_temp.lot(tick.last_move, 'ends') < 0.3;

-- Bills that have become due to be sent, and payments.
update raw.invoices as invoice
set
    paid_at = pg_temp.within_tick(invoice.invoice_id, 'paid'),
    updated_at = pg_temp.within_tick(invoice.invoice_id, 'paid')
from (
    select invoice_id
    from raw.invoices
    cross join sample_tick as tick
    where paid_at is null and due_on between cast(tick.until_at as date) - 60 and cast(tick.until_at as date) + 5
    order by pg_temp.lot(invoice_id + tick.last_move, 'pays'), invoice_id
    limit (select 3 * deals from sample_tick)
) as paid
where paid.invoice_id = invoice.invoice_id;

insert into raw.invoices (invoice_id, subscription_id, account_id, invoice_number, amount, issued_on, due_on, updated_at)
with due as (
    select
        subscription.subscription_id,
        subscription.account_id,
        subscription.plan,
        subscription.monthly_amount,
        cast(period as date) as issued_on,
        tick.last_invoice + row_number() over (order by period, subscription.subscription_id) as invoice_id,
        tick.until_at
    from raw.subscriptions as subscription
    cross join sample_tick as tick
    left join lateral (
        select max(issued_on) as issued_on
        from raw.invoices as invoice
        where invoice.subscription_id = subscription.subscription_id
    ) as last_bill on true
    cross join generate_series(
        coalesce(last_bill.issued_on + interval '1 month', subscription.started_on),
        tick.until_at,
        interval '1 month'
    ) as series (period)
    where subscription.ended_on is null
)

select
    invoice_id, subscription_id, account_id,
    to_char(issued_on, '"INV-"YYYY-') || to_char(invoice_id, 'FM00000000'),
    monthly_amount,
    issued_on,
    issued_on + case plan when 'starter' then 14 when 'growth' then 30 else 45 end,
    until_at
from due;

-- Requests to erase arrive and are dealt with.
insert into raw.erasure_requests (erasure_request_id, account_id, requested_at, due_on, updated_at)
select
    tick.last_erasure + 1,
    1 + floor(pg_temp.lot(tick.last_move, 'who erases') * tick.last_account)::bigint,
    pg_temp.within_tick(tick.last_move, 'erasure'),
    cast(tick.until_at as date) + 30,
    pg_temp.within_tick(tick.last_move, 'erasure')
from sample_tick as tick
where pg_temp.lot(tick.last_move, 'erasure') < 0.15;

update raw.erasure_requests as request
set completed_at = pg_temp.within_tick(request.erasure_request_id, 'erased'), updated_at = pg_temp.within_tick(request.erasure_request_id, 'erased')
from sample_tick as tick
where
    request.erasure_request_id = (select min(erasure_request_id) from raw.erasure_requests where completed_at is null)
    and request.requested_at < tick.from_at
    and pg_temp.lot(tick.last_move, 'erased') < 0.15;

update raw.accounts as account
set contact_name = null, contact_email = null, updated_at = request.completed_at
from raw.erasure_requests as request, sample_tick as tick
where request.account_id = account.account_id and request.completed_at > tick.from_at;
