{# Run plpgsql that needs an exclusive lock without blocking readers: wait for the lock a tenth of a second at
   a time, so that readers behind it wait no longer, and retry until lock_patience_seconds have passed. Then
   fail with lock_not_available, which a later run may avoid. #}
{% macro with_lock_retries(relation) %}
    {% set attempt = caller() %}
    {% call statement('with_lock_retries') %}
        do $with_lock_retries$
        declare
            deadline timestamptz := clock_timestamp() + {{ var('lock_patience_seconds') | float }} * interval '1 second';
            previous_timeout text := current_setting('lock_timeout');
        begin
            loop
                begin
                    perform set_config('lock_timeout', '100ms', true);
                    {{ attempt }}
                    exit;
                exception when lock_not_available then
                    if clock_timestamp() > deadline then
                        raise exception using
                            errcode = 'lock_not_available',
                            message = {{ literal('could not lock ' ~ relation.include(database=false) ~ ' within ' ~ var('lock_patience_seconds') ~ ' s; nothing was changed') }},
                            hint = 'A transaction that has read it is still open: see pg_stat_activity.';
                    end if;
                    perform pg_sleep(0.4);
                end;
            end loop;
            perform set_config('lock_timeout', previous_timeout, true);
        end
        $with_lock_retries$
    {% endcall %}
{% endmacro %}
