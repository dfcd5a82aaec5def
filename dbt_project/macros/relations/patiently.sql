{# Run plpgsql that needs an exclusive lock without standing in anybody's way: it waits a tenth of a
   second at a time, so readers that queue behind it wait no longer than that, and tries again until
   lock_patience_seconds have passed. Then it fails as lock_not_available, which a retry may cure. #}
{% macro patiently(relation) %}
    {% set attempt = caller() %}
    {% call statement('patiently') %}
        do $patiently$
        declare
            give_up_at timestamptz := clock_timestamp() + {{ var('lock_patience_seconds') | float }} * interval '1 second';
            usual_timeout text := current_setting('lock_timeout');
        begin
            loop
                begin
                    perform set_config('lock_timeout', '100ms', true);
                    {{ attempt }}
                    exit;
                exception when lock_not_available then
                    if clock_timestamp() > give_up_at then
                        raise exception using
                            errcode = 'lock_not_available',
                            message = {{ literal('no lock on ' ~ relation.include(database=false) ~ ' in ' ~ var('lock_patience_seconds') ~ ' s; nothing was changed') }},
                            hint = 'A transaction that has read it is still open: see pg_stat_activity.';
                    end if;
                    perform pg_sleep(0.4);
                end;
            end loop;
            perform set_config('lock_timeout', usual_timeout, true);
        end
        $patiently$
    {% endcall %}
{% endmacro %}
