-- One atomic step of one circuit breaker: the same transitions as state_machine.py, with the clock
-- of the server. Instants and durations are whole milliseconds.
-- KEYS: the breaker's hash, the set of all names.
-- ARGV: breaker name, step, then what the step needs (see redis.py).
local key, names = KEYS[1], KEYS[2]
local name, step = ARGV[1], ARGV[2]

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local field = {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do field[flat[i]] = flat[i + 1] end

local function number(wanted) return tonumber(field[wanted] or '0') end
local function text(wanted) return field[wanted] or '' end
local function set(...) redis.call('HSET', key, ...) end
local function add(counter, count) redis.call('HINCRBY', key, counter, count) end

local state = field.state or 'closed'
if #flat == 0 and step ~= 'acquire' then
    redis.call('SADD', names, name)
    set('state', state)
end

local function wait(reset_timeout)
    set('state', 'open', 'waiting_since', now, 'reset_timeout', reset_timeout, 'probe', '')
    add('generation', 1)
end

local function close()
    set('state', 'closed', 'failures', 0, 'opened_at', '', 'probe', '')
    add('generation', 1)
end

-- Restart the wait if the clock was set back, instead of prolonging it.
local function seen(instant)
    local at = number(instant)
    if at > now then
        set(instant, now)
        return now
    end
    return at
end

local function milliseconds_left()
    if state == 'open' then
        return seen('waiting_since') + number('reset_timeout') - now
    end
    if text('probe') == '' then return 0 end
    return seen('probe_since') + number('probe_lease') - now
end

local function counts(probe, generation)
    if probe ~= '' then return text('probe') == probe end
    return state == 'closed' and number('generation') == tonumber(generation)
end

local steps = {}

function steps.acquire(token, probe_lease)
    if state == 'closed' then
        return {'permit', number('generation'), '', number('failures'), state}
    end
    local left = milliseconds_left()
    if left > 0 then
        add('rejections_total', 1)
        return {'refusal', state, left, text('opened_at'), text('last_error')}
    end
    if state == 'open' then set('probe_successes', 0) end
    set('state', 'half-open', 'probe', token, 'probe_since', now, 'probe_lease', probe_lease)
    return {'permit', number('generation'), token, number('failures'), state}
end

function steps.succeed(probe, generation, success_threshold)
    if not counts(probe, generation) then return end
    add('successes_total', 1)
    if probe == '' then
        set('failures', 0)
    elseif number('probe_successes') + 1 < tonumber(success_threshold) then
        set('probe', '')
        add('probe_successes', 1)
    else
        close()
    end
end

function steps.fail(probe, generation, fail_max, reset_timeout, error_type)
    if not counts(probe, generation) then return end
    add('failures', 1)
    add('failures_total', 1)
    set('last_error', error_type, 'last_failure_at', now)
    if probe ~= '' then
        wait(reset_timeout)
    elseif number('failures') + 1 >= tonumber(fail_max) then
        set('opened_at', now)
        add('trips_total', 1)
        wait(reset_timeout)
    end
end

function steps.release(probe, generation)
    if counts(probe, generation) then set('probe', '') end
end

function steps.count_successes(count)
    add('successes_total', count)
end

function steps.force(wanted, reset_timeout, reason)
    if wanted == 'closed' then return close() end
    if text('opened_at') == '' then set('opened_at', now) end
    wait(reset_timeout)
    if wanted == 'half-open' then
        set('state', 'half-open', 'probe_successes', 0)
    else
        set('last_error', reason)
    end
end

local answer = steps[step](unpack(ARGV, 3))
if step == 'acquire' then return answer end
return {state, redis.call('HGET', key, 'state')}
