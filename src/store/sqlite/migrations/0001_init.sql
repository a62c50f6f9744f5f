-- Released migrations never change. docs/dev/schema.md explains the tables.
-- Times are microseconds since 1970: store time, but deadline, which is wall time. Payloads (input, result, error,
-- body) begin with a codec byte: 0 plain, 1 zstd (reserved), 2 the user's own (reserved).

pragma application_id = 1348564844;

create table meta(
    schema int not null,              -- migrations applied
    min_reader int not null,          -- a binary that knows fewer migrations may not even read
    min_writer int not null,          -- nor write
    journal_format_max int not null,  -- highest journal.format in the file
    epoch int not null,               -- raised by every opening for writing: voids all older claims
    clean int not null,               -- the last holder closed it
    seq int not null,                 -- newest numbers in use, for when their rows were purged
    ref int not null,
    clock int not null,               -- newest store time, for the same reason
    store_id blob not null            -- random: tells one store from another at the same path
) strict;
insert into meta values(1, 1, 1, 1, 0, 1, 0, 0, 0, randomblob(16));

create table lane(
    id integer primary key,
    namespace text not null,
    queue text not null,
    type text not null,
    version int not null,             -- 0 until a claim binds one
    key text not null                 -- flow-control key
) strict;

create table queue(
    namespace text not null,
    name text not null,
    concurrency int not null,         -- 0 = no limit
    depth_max int not null,           -- 0 = no limit
    paused int not null,
    primary key(namespace, name)
) strict, without rowid;

create table task(
    id integer primary key,
    public_id blob not null,          -- 16 bytes
    line int,                         -- 1 ready, 2 ready but a poison suspect, 3 running, 4 set aside, null none of it
    lane int not null,
    sort_key int not null,
    state int not null,
    reason int not null,
    reason_before int not null,
    due int,
    expires int,
    deadline int,
    fence int not null,               -- epoch and claim number
    claimed_no int not null,
    last_no int not null,             -- of a running task: when it was claimed or last changed; the journal knows more
    crash_count int not null,
    ending int not null,
    flags int not null,               -- 1 pause_requested, 2 has_undo, 4 suspect, 8 has_open_intent
    updated int not null,
    active int not null,
    reopened int not null,
    generation int not null,
    priority int not null,
    deadline_length int,
    queue_timeout int,
    max_attempts int,
    definition blob,                  -- hash of a blob
    memo blob,                        -- open waits, messages, progress: core/memo.hpp
    root int not null,
    parent int,
    trace_id blob not null,
    created int not null,
    k text,                           -- idempotency key
    error blob,
    format_min int not null,          -- what a worker must read to go on; an older one leaves it alone
    journal_bytes int not null,       -- of the results and errors of the entries up to last_no
    input blob                        -- up to 1 KiB; a longer one is the result of the submitted entry, so that
                                      -- a transition does not write it again
    -- the output is the result of the completed entry
) strict;
create unique index task_public_id on task(public_id);
create index task_line on task(line, lane, sort_key) where line is not null;
create index task_due on task(due) where due is not null and state <> 3;
create index task_expires on task(expires) where expires is not null;
create index task_deadline on task(deadline) where deadline is not null and ending = 0 and state < 4;
create index task_final on task(updated) where state >= 4;
create index task_parent on task(parent) where parent is not null;
create index task_key on task(k) where k is not null;

create table journal(
    seq integer primary key,          -- commit order: the feed's cursor
    task int not null,
    no int not null,                  -- 1, 2, 3 ... within the task
    kind int not null,
    format int not null,
    path text,
    at int not null,
    number int not null,
    due int,
    result blob,
    error blob,
    cost_uusd int not null
) strict;
create unique index journal_task on journal(task, no);

create table key(
    namespace text not null,
    type text not null,
    k text not null,
    task int not null,
    fingerprint blob not null,
    expires int,                      -- set when the task is final; the row stays as long as its task
    primary key(namespace, type, k)
) strict, without rowid;

create table request(
    task int not null,
    id text not null,
    verb int not null,
    arguments blob not null,          -- SHA-256: the same id with other arguments is another request
    state int not null,               -- the first answer
    reason int not null,
    changed int not null,
    answer blob,                      -- what the verb answers besides, as JSON; null: nothing
    expires int not null,
    primary key(task, id)
) strict, without rowid;
create index request_expires on request(expires);

create table blob(
    namespace text not null,
    hash blob not null,               -- SHA-256 of the plain body
    refs int not null,
    body blob not null,
    primary key(namespace, hash)
) strict;

create table tag(
    tag text not null,
    task int not null,
    primary key(tag, task)
) strict, without rowid;
create index tag_task on tag(task);

-- Tasks that were purged while part of their journal still waits to be cleared away.
create table leftover(
    task integer primary key,
    namespace text not null           -- its blobs are found by it
) strict;
