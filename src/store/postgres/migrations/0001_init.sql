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
    worker int primary key,
    batch bigint not null
) with (fillfactor = 10);

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
