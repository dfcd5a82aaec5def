with source as (

    select * from {{ source('crm', 'invoices') }}

),

final as (

    select
        invoice_id,
        subscription_id,
        account_id,
        amount,
        issued_on,
        due_on,
        cast(paid_at at time zone 'utc' as date) as paid_on
    from source

)

select * from final
