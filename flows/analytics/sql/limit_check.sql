-- Limit the next statements of this transaction, and return the limit of before.
select
    current_setting('statement_timeout') as before,
    set_config('statement_timeout', :statement_timeout, true)
