/* One task with two `once` steps that each need an approval; two processes that open its store, three workers, a person who
   approves, and one who cancels. Any of them stops for as long as it likes at any point, a worker dies, a lease runs out, a
   process opens the store again or beside one that lives, an approval is sent twice and arrives late.

   Each guard can be left out (-DFENCE=0): then Spin must find the run that breaks a promise. With all of them it must find
   none in the whole space of states. check.sh does both.

   What is durable is a row, the journal and the approvals. A process remembers the row, as the ledger does: one that
   was left behind decides by what it remembers. */

#ifndef FENCE      /* a write carries the number of the task's newest claim */
#define FENCE 1
#endif
#ifndef EPOCH      /* and the number of the opening, since claims are counted anew in each */
#define EPOCH 1
#endif
#ifndef OWNER      /* a batch is refused when another process has opened the store since */
#define OWNER 1
#endif
#ifndef BINDING    /* an approval is for the step that the person saw */
#define BINDING 1
#endif
#ifndef CANCELLED  /* nothing starts in a task whose cancel was acknowledged */
#define CANCELLED 1
#endif
#ifndef HEARTBEAT  /* a lease that has run out is not renewed */
#define HEARTBEAT 1
#endif

#define STEPS 2
#define WORKERS 3              /* 0 and 1 in process 0, 2 in process 1 */
#define process_of(w) ((w) / 2)
#define NOBODY WORKERS

mtype = { pending, running, waiting, final };          /* of the task */
mtype = { none, asked, granted, consumed };            /* of an approval */

typedef Row { mtype state; byte claim; bool cancel };
typedef Memory { bool open; byte epoch; byte claims; Row row };
typedef Worker { bool holds; bool lease_over; byte epoch; byte claim; byte step };

/* durable */
Row row;
byte epoch;
byte started[STEPS];
byte recorded[STEPS];
mtype approval[STEPS];

Memory memory[2];
Worker worker[WORKERS];
chan approvals = [2] of { byte };

/* what really happened, which nobody in the model may look at */
byte holder = NOBODY;          /* of the newest claim */
bool holder_gone;              /* it died, or dropped the task */
byte effects[STEPS];
bool seen[STEPS];              /* the person said yes to this step */
bool acknowledged;             /* the cancel */
bool given_away[WORKERS];      /* what it had claimed is another's */

/* what may go wrong, and how often */
byte openings = 2, stalls = 1, deaths = 1, repeats = 1;

#define owns(p) (memory[p].open && (!OWNER || memory[p].epoch == epoch))
#define fits(w, p) (memory[p].row.state == running && \
    (!FENCE || worker[w].claim == memory[p].row.claim) && (!EPOCH || worker[w].epoch == memory[p].epoch))

inline keep(p) {
    row.state = memory[p].row.state;
    row.claim = memory[p].row.claim;
    row.cancel = memory[p].row.cancel
}

inline release() {             /* the task is taken from its holder, dead or not */
    if
    :: holder != NOBODY && !holder_gone -> given_away[holder] = true
    :: else
    fi;
    holder = NOBODY;
    holder_gone = false
}

inline open_store(p) {
    epoch++;
    memory[p].open = true;
    memory[p].epoch = epoch;
    memory[p].claims = 0;
    memory[p].row.state = (row.state == running -> pending : row.state);
    memory[p].row.claim = row.claim;
    memory[p].row.cancel = row.cancel;
    keep(p);
    release()
}

/* Nothing is left in a worker that drops its task: it comes back as a new one. */
inline drop(w) {
    holder_gone = holder_gone || holder == w;
    given_away[w] = false;
    worker[w].holds = false;
    worker[w].lease_over = false;
    worker[w].epoch = 0;
    worker[w].claim = 0;
    worker[w].step = 0
}

inline claim_task(w, p) {
    memory[p].claims++;
    memory[p].row.claim = memory[p].claims;
    memory[p].row.state = running;
    keep(p);
    holder = w;
    worker[w].holds = true;
    worker[w].epoch = memory[p].epoch;
    worker[w].claim = memory[p].claims;
    /* Replay: what is recorded is done; what was begun and has no result is recorded as unknown, never begun again. */
    worker[w].step = 0;
    do
    :: worker[w].step < STEPS && recorded[worker[w].step] > 0 -> worker[w].step++
    :: worker[w].step < STEPS && recorded[worker[w].step] == 0 && started[worker[w].step] > 0 ->
        recorded[worker[w].step]++;
        worker[w].step++
    :: else -> break
    od;
    skip
}

/* A renewal. One that is refused tells the worker to drop all it has. */
inline renew(w) {
    if
    :: HEARTBEAT -> drop(w)
    :: else ->
        assert(!given_away[w]);
        worker[w].lease_over = false
    fi
}

/* The process learns that another one owns the store: it closes, and forgets. */
inline leave(w, p) {
    memory[p].open = false;
    memory[p].epoch = 0;
    memory[p].claims = 0;
    memory[p].row.state = 0;
    memory[p].row.claim = 0;
    memory[p].row.cancel = false;
    drop(w)
}

inline leave_task() {
    holder = NOBODY;
    holder_gone = false
}

#define at_step(w) (worker[w].step < STEPS)
#define approval_of(w) approval[worker[w].step]
#define done(w) (worker[w].step == STEPS || memory[process_of(w)].row.cancel)

proctype Work(byte w) {
    byte p = process_of(w);
end_idle:
    /* Workers that hold nothing are alike: the second of a process claims when the first is busy. */
    if
    :: d_step { owns(p) && memory[p].row.state == pending && (w != 1 || worker[0].holds) -> claim_task(w, p) }
    fi;
held:
    if
    :: d_step { deaths > 0 -> deaths--; drop(w) }; goto end_idle
    :: d_step { worker[w].lease_over -> renew(w) }; if
        :: worker[w].holds -> goto held
        :: else -> goto end_idle
        fi
    :: d_step { !owns(p) -> leave(w, p) }; goto end_idle
    :: d_step { owns(p) && !fits(w, p) -> drop(w) }; goto end_idle
    :: d_step { owns(p) && fits(w, p) && done(w) ->
            assert(row.state != final);
            memory[p].row.state = final; keep(p); drop(w); leave_task() }; goto end_idle
    /* It asks, or waits on for an answer: somebody else woke the task. */
    :: d_step { owns(p) && fits(w, p) && !done(w) && (approval_of(w) == none || approval_of(w) == asked) ->
            approval_of(w) = asked; memory[p].row.state = waiting; keep(p); drop(w); leave_task() }; goto end_idle
    /* The intent, and with it the approval: one transaction. */
    :: d_step { owns(p) && fits(w, p) && at_step(w) && approval_of(w) == granted &&
                !(CANCELLED && memory[p].row.cancel) ->
            assert(row.state != final);
            assert(!acknowledged);
            assert(seen[worker[w].step]);
            approval_of(w) = consumed; started[worker[w].step]++ }; goto begun
    /* Refused: another one began this step. */
    :: d_step { owns(p) && fits(w, p) && !done(w) && approval_of(w) == consumed -> drop(w) }; goto end_idle
    fi;
begun:
    /* Here, and before the next, it may stand still for as long as it likes. */
    atomic { effects[worker[w].step]++; assert(effects[worker[w].step] <= 1) };
    if
    :: d_step { deaths > 0 -> deaths--; drop(w) }; goto end_idle
    :: d_step { worker[w].lease_over -> renew(w) }; if
        :: worker[w].holds
        :: else -> goto end_idle
        fi
    :: true
    fi;
    d_step {
        if
        :: !owns(p) -> leave(w, p)
        :: owns(p) && !fits(w, p) -> drop(w)
        :: else ->
            recorded[worker[w].step]++;
            assert(recorded[worker[w].step] <= 1);
            assert(row.state != final);
            worker[w].step++
        fi
    };
    if
    :: worker[w].holds -> goto held
    :: else -> goto end_idle
    fi
}

/* A lease runs out; later a holder that is gone, or whose lease is over, loses the task to whoever is next. */
proctype Takeover() {
    byte p;
end:
    do
    :: d_step { stalls > 0 && holder != NOBODY && !holder_gone && !worker[holder].lease_over ->
            stalls--; worker[holder].lease_over = true }
    :: d_step { holder != NOBODY && (holder_gone || worker[holder].lease_over) && owns(process_of(holder)) &&
                memory[process_of(holder)].row.state == running ->
            p = process_of(holder);
            memory[p].row.state = pending;
            keep(p);
            release();
            p = 0 }
    od
}

/* A process opens the store again, or beside one that still lives: its lock was lost with the machine that kept it. */
proctype Open() {
end:
    do
    :: d_step { openings > 0 && row.state != final -> openings--; open_store(0) }
    :: d_step { openings > 0 && row.state != final -> openings--; open_store(1) }
    od
}

#define asked_step (approval[0] == asked -> 0 : 1)
#define owner (owns(0) -> 0 : 1)

inline grant(p, s) {
    approval[s] = granted;
    if
    :: memory[p].row.state == waiting -> memory[p].row.state = pending; keep(p)
    :: else
    fi
}

proctype Person() {
    byte s;
end:
    do
    :: d_step { row.state != final && approval[asked_step] == asked && !seen[asked_step] && nfull(approvals) ->
            seen[asked_step] = true; approvals!asked_step }
    :: d_step { row.state != final && repeats > 0 && nfull(approvals) && seen[0] -> repeats--; approvals!0 }
    :: d_step { row.state != final && nempty(approvals) && (owns(0) || owns(1)) ->
            approvals?s;
            if
            :: BINDING && approval[s] == asked -> grant(owner, s)
            :: !BINDING && approval[asked_step] == asked -> grant(owner, asked_step)
            :: else            /* refused: nothing waits for it */
            fi;
            s = 0 }
    od
}

proctype Canceller() {
end:
    if
    :: d_step { row.state != final && (owns(0) || owns(1)) ->
            memory[owner].row.cancel = true;
            if
            :: memory[owner].row.state == waiting -> memory[owner].row.state = pending
            :: else
            fi;
            keep(owner);
            acknowledged = true }
    fi
}

/* When nothing can happen any more, the task has ended: nobody waits for ever. */
proctype Watch() {
    timeout -> assert(row.state == final)
}

init {
    atomic {
        row.state = pending;
        approval[0] = none;
        approval[1] = none;
        open_store(0);
        run Work(0);
        run Work(1);
        run Work(2);
        run Takeover();
        run Open();
        run Person();
        if
        :: run Canceller()
        :: true
        fi;
        run Watch()
    }
}
