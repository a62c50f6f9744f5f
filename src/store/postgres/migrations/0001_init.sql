-- Released migrations never change. docs/dev/schema.md explains the tables.
-- Run in a schema of its own, which is first in the search path; all that is here lives in it.
-- Times are microseconds since 1970 by the server's clock. Payloads (input, result, error, body) begin with a codec
-- byte, as on SQLite. Texts that people never search by are bytea: a name in the journal may hold any byte.

create table meta(
    one bool primary key default true check (one),
    schema int not null,              -- migrations applied
    min_reader int not null,          -- a binary that knows fewer migrations may not even read
    min_writer int not null,          -- nor write
    journal_format_max int not null,  -- highest journal.format in the store
    store_id uuid not null default gen_random_uuid(),
    shard int not null default 0,     -- the byte in the ids of its tasks that says where they are
    shards int not null default 1,    -- how many schemas make the store; fixed for ever
    store_group text                  -- the same in all of them; null: this schema is a store of its own
);
insert into meta values(true, 1, 1, 1, 1);

-- The store's time. Tests replace nothing here: they give instants of their own.
create function pawl_now() returns bigint language sql volatile parallel safe
    as $$ select (extract(epoch from clock_timestamp()) * 1000000)::bigint $$;

-- A process that works the store. Its number is one half of every fence it takes; it is never used again.
create table worker(
    id int primary key generated always as identity,
    host text not null,
    pid int not null,
    program text not null,
    version text not null,
    types text not null,              -- "NAME VERSION COMPATIBLE_FROM", one a line
    queues text not null,             -- one a line; empty = all
    slots int not null,
    session text,                     -- it holds an advisory lock on its number while its session lives; this is the
                                      -- life of the server (start and timeline) in which it took it
    registered bigint not null,
    seen bigint not null,
    lease_until bigint not null,
    ended bigint                      -- it left, or was declared dead: nothing of it is taken any more
);
create index worker_alive on worker(id) where ended is null;

-- One row for each process that writes: the number of its newest batch. It is what tells, after a connection was lost
-- during a commit, whether that commit happened; and whether the process still owns what it holds.
create table writer(
    worker int not null,
    batch bigint not null,
    -- With the batch: while a transaction that is open for long keeps the server from clearing away what the row was
    -- before, looking for it among that would cost more with each batch.
    primary key(worker, batch)
);

-- Rows that are alike to a claim, but for the flow-control key. The numbers are never used again.
create table line_group(
    id int primary key generated always as identity,
    namespace text not null,
    queue text not null,
    type text not null,
    version int not null,             -- 0 until a claim binds one
    unique(namespace, queue, type, version)
);

create table queue(
    namespace text not null,
    name text not null,
    concurrency int not null,         -- 0 = no limit
    depth_max int not null,           -- 0 = no limit
    paused bool not null,
    primary key(namespace, name)
);

create sequence task_id as bigint;
create sequence feed_order as bigint;

create table task(
    id bigint primary key,
    public_id bytea not null,         -- 16 bytes
    line int,                         -- 1 ready, 2 ready but a poison suspect, 3 running, null none of it
    line_group int not null,
    flow_key text not null,           -- flow-control key
    sort_key bigint not null,
    state int not null,
    reason int not null,
    reason_before int not null,
    due bigint,
    expires bigint,
    deadline bigint,
    fence bigint not null,            -- generation of the claim, and number of the worker
    revision int not null,            -- rises with every update of the row
    claimed_no int not null,
    last_no int not null,             -- of a running task: when it was claimed or last changed; the journal knows more
    crash_count int not null,
    ending int not null,
    flags int not null,               -- 1 pause_requested, 2 has_undo, 4 suspect, 8 has_open_intent
    updated bigint not null,
    active bigint not null,
    reopened int not null,
    generation int not null,
    priority int not null,
    deadline_length bigint,
    queue_timeout bigint,
    max_attempts int,
    definition bytea,                 -- hash of a blob
    memo bytea,                       -- open waits, messages, progress: core/memo.hpp
    root bigint not null,
    parent bigint,
    trace_id bytea not null,
    created bigint not null,
    k text,                           -- idempotency key
    error bytea,
    format_min int not null,          -- what a worker must read to go on; an older one leaves it alone
    journal_bytes bigint not null,    -- of the results and errors of the entries up to last_no
    xact xid8 not null default pg_current_xact_id(),  -- that of its newest entry; of a running task the journal knows
    input bytea                       -- up to 1 KiB; a longer one is the result of the submitted entry
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1);
create unique index task_public_id on task(public_id);
create index task_ready on task(line_group, sort_key, id) where line = 1;
create index task_suspect on task(line_group, sort_key, id) where line = 2;
create index task_held on task(line_group, (fence & 4294967295)) where line = 3;
create index task_later on task(line_group) where state = 0 and line is null;  -- with task_ready: all that is pending
create index task_due on task(due) where due is not null and state <> 3;
create index task_expires on task(expires) where expires is not null;
create index task_deadline on task(deadline) where deadline is not null and ending = 0 and state < 4;
create index task_final on task(updated) where state >= 4;
create index task_parent on task(parent) where parent is not null;
create index task_key on task(k) where k is not null;

create table journal(
    task bigint not null,
    no int not null,                  -- 1, 2, 3 ... within the task
    kind int not null,
    format int not null,
    path bytea,
    at bigint not null,
    number bigint not null,
    due bigint,
    result bytea,
    error bytea,
    cost_uusd bigint not null,
    -- With seq the feed's cursor: commit order as far as one exists. The number of the transaction; or, when an entry
    -- before it in its task has a higher one, that.
    xact xid8 not null default pg_current_xact_id(),
    seq bigint not null,              -- within its transaction; above 2^32, and by feed_order, when xact is not its own
    primary key(task, no)
) with (autovacuum_vacuum_insert_scale_factor = 0.2);
create index journal_feed on journal(xact, seq);

create table key(
    namespace text not null,
    type text not null,
    k text not null,
    task bigint not null,
    fingerprint bytea not null,
    expires bigint,                   -- set when the task is final; the row stays as long as its task
    primary key(namespace, type, k)
);

create table request(
    task bigint not null,
    id text not null,
    verb int not null,
    arguments bytea not null,         -- SHA-256: the same id with other arguments is another request
    state int not null,               -- the first answer
    reason int not null,
    changed bool not null,
    answer bytea,                     -- what the verb answers besides, as JSON; null: nothing
    expires bigint not null,
    primary key(task, id)
);
create index request_expires on request(expires);

create table blob(
    namespace text not null,
    hash bytea not null,              -- SHA-256 of the plain body
    refs bigint not null,
    body bytea not null,
    primary key(namespace, hash)
);

create table tag(
    tag text not null,
    task bigint not null,
    primary key(tag, task)
);
create index tag_task on tag(task);

-- Tasks that were purged while part of their journal still waits to be cleared away.
create table leftover(
    task bigint primary key,
    namespace text not null           -- its blobs are found by it
);

-- Submits in transactions of users (docs/guides/enqueue-in-your-transaction.md): committed, and not yet taken in by a
-- worker. Nothing else of Pawl's is written in a user's transaction, so that none of it waits for its end.
create table inbox(
    id bigint primary key default nextval('task_id'),  -- its number as a task
    public_id bytea not null,
    namespace text not null,
    queue text not null,
    type text not null,
    k text,
    flow_key text not null,
    priority int not null,
    delay bigint,
    deadline bigint,
    queue_timeout bigint,
    max_attempts int,
    tags text[] not null,             -- in byte order, each once
    trace_id bytea not null,
    at bigint not null,               -- of the call
    input text not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 1);
create unique index inbox_public_id on inbox(public_id);
create index inbox_queue on inbox(queue);  -- not of the namespace as well: nobody shall look for a key by it
create unique index inbox_key on inbox(namespace, type, k) where k is not null;

-- The functions below do the checks of core/validate.cpp, in its words.
create function pawl_shown(value text) returns text language sql immutable parallel safe
    as $$ select '"' || case when length(value) > 64 then left(value, 64) || '...' else value end || '"' $$;

create function pawl_refuse(message text, hint text) returns void language plpgsql immutable as $$
begin
    raise exception using errcode = '22023', message = 'submit: ' || message || '; nothing was stored', hint = hint;
end $$;

create function pawl_check_name(field text, value text) returns void language plpgsql immutable as $$
begin
    if value is null or value = '' then perform pawl_refuse(field || ' is empty', 'Give it a name.'); end if;
    if octet_length(value) > 128 then
        perform pawl_refuse(field || ' ' || pawl_shown(value) || ' is too long, at most 128 characters', 'Shorten it.');
    end if;
    if value !~ '^[A-Za-z0-9][A-Za-z0-9_.:/-]*$' then
        perform pawl_refuse(field || ' ' || pawl_shown(value) || ' is malformed',
                            'Use letters, digits and _ . : / -, and start with a letter or digit.');
    end if;
end $$;

create function pawl_check_text(field text, value text, bytes_max int) returns void language plpgsql immutable as $$
begin
    if value is null or value = '' then
        perform pawl_refuse(field || ' is empty', 'Give 1 to ' || bytes_max || ' bytes, or leave it out.');
    end if;
    if octet_length(value) > bytes_max then
        perform pawl_refuse(field || ' ' || pawl_shown(value) || ' is too long, at most ' || bytes_max || ' bytes',
                            'Shorten it.');
    end if;
    if value ~ '[\u0001-\u001f\u007f-\u009f]' then
        perform pawl_refuse(field || ' has a control character', 'Leave it out.');
    end if;
end $$;

-- Microseconds.
create function pawl_length(field text, length interval, is_0_allowed bool) returns bigint language plpgsql immutable as $$
begin
    -- As seconds: as intervals ten years of twelve months are less than 3652 days.
    if extract(epoch from length) not between 0 and 3652 * 86400 or (length = interval '0' and not is_0_allowed) then
        perform pawl_refuse(field || ' of ' || length || ' is not allowed', 'Give ' ||
            case when is_0_allowed then '0 to 3652 days.' else 'more than 0 and at most 3652 days.' end);
    end if;
    return (extract(epoch from length) * 1000000)::bigint;
end $$;

create function pawl_colons(outside text) returns int language sql immutable parallel safe
    as $$ select length(outside) - length(replace(outside, ':', '')) $$;

-- One JSON value that core/canonical_json.cpp accepts. An escaped NUL, which jsonb cannot hold, stands for a character
-- that nobody uses while it is looked at.
create function pawl_check_input(input text) returns void language plpgsql immutable as $$
declare
    value jsonb;
    strings constant text := '"(?:[^"\\]|\\.)*"';
    outside text;
    brackets text;
    is_big bool;
begin
    if octet_length(input) > 1048576 then
        perform pawl_refuse('input: ' || octet_length(input) || ' bytes, at most 1048576 (1 MiB) are kept',
                            'Store what is large elsewhere and give its address.');
    end if;
    begin
        value := replace(input, '\u0000', '\ufdd0')::jsonb;
    exception
        when invalid_text_representation or untranslatable_character or numeric_value_out_of_range
          or statement_too_complex or program_limit_exceeded then
            perform pawl_refuse('input: it is not one JSON value, or nested too deeply: ' || sqlerrm,
                                'Give valid JSON, for example ''{"n": 1}''.');
    end;
    outside := regexp_replace(input, strings, '', 'g');
    brackets := translate(outside, '{}:,.+-0123456789eEtrufalsn' || E' \t\r\n', '[]');
    if length(brackets) > 128 then
        for level in 1..64 loop
            brackets := replace(brackets, '[]', '');
        end loop;
        if brackets <> '' then
            perform pawl_refuse('input: it is nested deeper than 64 levels', 'Make it flatter.');
        end if;
    end if;
    -- Of a key that is there twice jsonb keeps one.
    if pawl_colons(outside) <> pawl_colons(regexp_replace(value::text, strings, '', 'g')) then
        perform pawl_refuse('input: an object has a key twice', 'Give each key once.');
    end if;
    -- 200 digits and an exponent of two are not yet as much. The most is what is rounded to no double any more.
    is_big := outside ~ '[eE]\+?[0-9]{3}|[0-9]{200}';
    if is_big and jsonb_path_exists(value, '$.** ? (@.type() == "number" && (@ >= $most || @ <= -$most))',
                                    '{"most": 1.79769313486231580793728971405303e308}') then
        perform pawl_refuse('input: a number is beyond the largest double', 'Give it as a string.');
    end if;
end $$;

-- Whether a key may be used again for it. The canonical texts differ only where a number is more than a double holds.
create function pawl_is_same_input(a text, b text) returns bool language plpgsql immutable as $$
begin
    return a = b or a::jsonb = b::jsonb;
exception
    when data_exception then return false;  -- an escaped NUL: only what is equal byte for byte is the same
end $$;

-- `t_` and 26 digits of Crockford's base 32, as core/task_id.cpp has it.
create function pawl_id_text(id bytea) returns text language sql immutable parallel safe as $$
    select 't_' || string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', substring(bits from 5 * i + 1 for 5)::int + 1, 1),
                              '' order by i)
    from (select b'00' || ('x' || encode(id, 'hex'))::bit(128) as bits) as b, generate_series(0, 25) as i $$;

create function pawl_new_id(at bigint) returns bytea language sql volatile as $$
    select substr(int8send(at / 1000), 3) || substr(int4send(meta.shard), 4) || substr(random, 1, 6) || substr(random, 10, 3)
    from meta, (select uuid_send(gen_random_uuid()) as random) as r $$;

-- Who has the key: a task, or what will be one. In one statement, for one of the two it is at any moment.
create function pawl_key_holder(namespace text, type text, k text, out id bytea, out input text)
language sql stable as $$
    select i.public_id, i.input from inbox i where (i.namespace, i.type, i.k) = ($1, $2, $3)
    union all
    (select t.public_id, coalesce(convert_from(substr(stored.input, 2), 'UTF8'), '')
     from key join task t on t.id = key.task,
     lateral (select coalesce(t.input, (select result from journal where task = t.id and no = 1)) as input) as stored
     where (key.namespace, key.type, key.k) = ($1, $2, $3) and (key.expires is null or key.expires > pawl_now()))
    limit 1 $$;

-- A transaction that still sees what was before it waited for the key must not decide by that. The attempt leaves
-- nothing behind; whoever purges an old row of the key does not meet it. First the inbox, then the key: as a batch that
-- takes the key's row in, so that the two never wait for each other.
create function pawl_check_newest(namespace text, type text, k text) returns void language plpgsql as $$
begin
    begin
        insert into inbox(public_id, namespace, queue, type, k, flow_key, priority, tags, trace_id, at, input)
        values (uuid_send(gen_random_uuid()), $1, '', $2, $3, '', 0, '{}', '', 0, '');
        perform 1 from key where (key.namespace, key.type, key.k) = ($1, $2, $3) for update;
        if not found then insert into key values ($1, $2, $3, 0, ''); end if;
        raise exception using errcode = 'PW000';
    exception
        when sqlstate 'PW000' then return;
        when unique_violation or deadlock_detected then
            raise exception using errcode = '40001', message = 'submit: another transaction has taken key ' ||
                pawl_shown(k) || ' since this one began; nothing was stored', hint = 'Do the transaction again.';
    end;
end $$;

create function pawl_check_depth(namespace text, queue text) returns void language plpgsql as $$
declare
    most int := (select depth_max from queue q where (q.namespace, q.name) = ($1, $2));
begin
    if coalesce(most, 0) = 0 then return; end if;
    if most <= (select count(*) from inbox i where (i.namespace, i.queue) = ($1, $2)) +
        (select (select count(*) from task where line = 1 and line_group = any(g.ids)) +
                (select count(*) from task where line = 2 and line_group = any(g.ids)) +
                (select count(*) from task where state = 0 and line is null and line_group = any(g.ids))
         from (select array(select g.id from line_group g where (g.namespace, g.queue) = ($1, $2)) as ids) as g) then
        raise exception using errcode = 'PW429', hint = 'Try again later.', message =
            'submit: queue ' || pawl_shown(queue) || ' is at its maximum depth; nothing was stored';
    end if;
end $$;

-- Where a key's task lives: shard_of in core/shards.cpp.
create function pawl_shard_of(namespace text, type text, key text, shards int) returns int
language plpgsql immutable parallel safe as $$
declare
    hashed bytea := '';
    part bytea;
    number numeric;
begin
    foreach part in array array[convert_to(namespace, 'UTF8'), convert_to(type, 'UTF8'), convert_to(key, 'UTF8')] loop
        hashed := hashed || int8send(length(part)) || part;
    end loop;
    number := ('x' || encode(substr(sha256(hashed), 1, 8), 'hex'))::bit(64)::bigint;
    if number < 0 then number := number + 18446744073709551616; end if;
    return number % shards;
end $$;

create function pawl_check_shard(namespace text, type text, key text) returns void language plpgsql stable as $$
declare
    place meta;
    home int;
begin
    select * into place from meta;
    home := pawl_shard_of(namespace, type, key, place.shards);
    if home <> place.shard then
        perform pawl_refuse('key ' || pawl_shown(key) || ' belongs to shard ' || home || ' of this store, this is shard ' ||
                            place.shard, 'Call it there; without a key any shard will do.');
    end if;
end $$;

-- The task of a submit in the caller's own transaction; its id. Runs with the rights of the owner of these tables.
create function pawl_submit(
    type text,
    input anycompatible,                        -- text, json or jsonb
    key text default null,
    queue text default 'default',
    namespace text default 'default',
    flow_key text default null,
    priority int default 0,
    delay interval default null,
    deadline timestamptz default null,
    queue_timeout interval default null,
    max_attempts int default null,
    tags text[] default '{}',
    on_existing text default 'attach'
) returns text language plpgsql volatile security definer set search_path from current
-- Plans are made while the tables are small and kept while they grow: none of them may walk a table, and what is priced
-- for doing so is not worth compiling. The texts below are written for strings as the standard has them.
set enable_seqscan = off set jit = off set standard_conforming_strings = on as $$
#variable_conflict use_column
declare
    given text;
    at constant bigint := pawl_now();
    made inbox;
    first record;
    one_tag text;
begin
    perform pawl_check_name('type', pawl_submit.type), pawl_check_name('queue', pawl_submit.queue),
            pawl_check_name('namespace', pawl_submit.namespace);
    if pawl_submit.key is not null then
        perform pawl_check_text('key', pawl_submit.key, 255);
        perform pawl_check_shard(pawl_submit.namespace, pawl_submit.type, pawl_submit.key);
    end if;
    if pawl_submit.flow_key is not null then perform pawl_check_text('flow key', pawl_submit.flow_key, 255); end if;
    if pawl_submit.priority is null or pawl_submit.priority not between -100 and 100 then
        perform pawl_refuse('priority ' || coalesce(pawl_submit.priority::text, 'null') || ' is outside -100 to 100',
                            'Higher is sooner, 0 is usual.');
    end if;
    if pawl_submit.deadline <= clock_timestamp() or pawl_submit.deadline > clock_timestamp() + interval '3652 days' then
        perform pawl_refuse('deadline ' || pawl_submit.deadline || ' is in the past, or more than 10 years ahead',
                            'Give one that is still to come, for example now() + interval ''1 hour''.');
    end if;
    if pawl_submit.max_attempts not between 0 and 1000 or (pawl_submit.max_attempts = 0 and pawl_submit.deadline is null) then
        perform pawl_refuse('max_attempts ' || pawl_submit.max_attempts || ' is not allowed',
                            'Give 1 to 1,000; 5 is usual, 0 (no limit) needs a deadline.');
    end if;
    if cardinality(pawl_submit.tags) > 32 then
        perform pawl_refuse('tags: ' || cardinality(pawl_submit.tags) || ' given, at most 32 are kept', 'Drop some.');
    end if;
    foreach one_tag in array coalesce(pawl_submit.tags, '{}') loop
        perform pawl_check_text('tag', one_tag, 128);
    end loop;
    if pawl_submit.on_existing in ('retry_if_failed', 'replace') then
        raise exception using errcode = '0A000', hint = 'Submit it with the command line or a client.', message =
            'submit: on_existing ' || pawl_submit.on_existing || ' is not possible in SQL; nothing was stored';
    elsif pawl_submit.on_existing is null or pawl_submit.on_existing not in ('attach', 'reject') then
        perform pawl_refuse('on_existing ' || coalesce(pawl_shown(pawl_submit.on_existing), 'null') || ' is not known',
                            'Give attach or reject.');
    end if;
    -- A cast that is not the server's own would run with the owner's rights.
    if pg_typeof(pawl_submit.input) not in ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype) then
        perform pawl_refuse('input has type ' || pg_typeof(pawl_submit.input), 'Give text, json or jsonb.');
    end if;
    given := pawl_submit.input::text;
    if given is null then perform pawl_refuse('input is null', 'Give JSON; the text ''null'' is JSON, too.'); end if;
    perform pawl_check_input(given);

    if pawl_submit.key is not null then
        select * into first from pawl_key_holder(pawl_submit.namespace, pawl_submit.type, pawl_submit.key);
        if first.id is null then
            -- The lock of core's keyed submits (look.cpp). Who comes second waits here, and then looks again.
            perform pg_advisory_xact_lock(hashtextextended(current_schema() || chr(31) || pawl_submit.namespace ||
                                                           chr(31) || pawl_submit.type || chr(31) || pawl_submit.key, 7261));
            select * into first from pawl_key_holder(pawl_submit.namespace, pawl_submit.type, pawl_submit.key);
        end if;
        if first.id is not null then
            if not pawl_is_same_input(first.input, given) then
                raise exception using errcode = 'PW422', detail = pawl_id_text(first.id),
                    hint = 'Use a new key for new input.', message = 'submit: key ' || pawl_shown(pawl_submit.key) ||
                    ' belongs to ' || pawl_id_text(first.id) || ', which has other input; nothing was stored';
            elsif pawl_submit.on_existing = 'reject' then
                raise exception using errcode = 'PW409', detail = pawl_id_text(first.id), message = 'submit: key ' ||
                    pawl_shown(pawl_submit.key) || ' belongs to ' || pawl_id_text(first.id) || '; nothing was stored';
            end if;
            return pawl_id_text(first.id);
        end if;
        if current_setting('transaction_isolation') <> 'read committed' then
            perform pawl_check_newest(pawl_submit.namespace, pawl_submit.type, pawl_submit.key);
        end if;
    end if;
    perform pawl_check_depth(pawl_submit.namespace, pawl_submit.queue);

    insert into inbox(public_id, namespace, queue, type, k, flow_key, priority, delay, deadline, queue_timeout,
                      max_attempts, tags, trace_id, at, input)
    values (pawl_new_id(at), pawl_submit.namespace, pawl_submit.queue, pawl_submit.type, pawl_submit.key,
            coalesce(pawl_submit.flow_key, ''), pawl_submit.priority, pawl_length('delay', pawl_submit.delay, true),
            (extract(epoch from pawl_submit.deadline) * 1000000)::bigint,
            pawl_length('queue_timeout', pawl_submit.queue_timeout, false), pawl_submit.max_attempts,
            array(select distinct t collate "C" from unnest(pawl_submit.tags) as t order by 1),
            uuid_send(gen_random_uuid()), at, given)
    returning * into made;
    -- Where others wait right before it, the workers have been called already: a commit that calls waits for all others
    -- that do. In serializable the look at them would make each of two transactions depend on the other.
    if current_setting('transaction_isolation') = 'serializable' or not exists (
        select 1 from inbox i where i.id between made.id - 64 and made.id - 1) then
        perform pg_notify(current_schema(), 'inbox');
    end if;
    return pawl_id_text(made.public_id);
end $$;
revoke execute on function pawl_submit from public;
