// fleet: W1's processing and W2 by 1, 2 and 4 worker processes on one server. claims: the rate of claims with a
// million tasks queued, beside that with a thousand.
#include "fleet.hpp"

#include "server.hpp"
#include "step_result.hpp"

#include <pawl/pawl.hpp>

#include <unistd.h>

#include <array>
#include <cstdio>
#include <thread>

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr int held_at_once = 64;  // by each worker

inline constexpr pawl::TaskType<int, int> no_op_type{"no-op"}, steps_type{"ten-steps"}, hold_type{"hold"};

// Of the process: a worker of a fleet has one board and one number.
Board* board = nullptr;
int own_number = 0;

void count_one() {
    if (++board->done == board->count) board->counted = now_ns();
}

pawl::Workflow<int> no_op(pawl::Context&, int in) {
    count_one();
    co_return in;
}

pawl::Workflow<int> ten_steps(pawl::Context& ctx, int) {
    int sum = 0;
    for (int no = 0; no < steps_of_a_task; no++) {
        const StepResult result = co_await ctx.step("step", make_step_result, no).on_loop();
        sum += result.no;
    }
    count_one();
    co_return sum;
}

int pass(int in) { return in; }

// Stands still; in another process again when this one has died.
int hold(int task) {
    Board::Held& held = board->held.at(static_cast<std::size_t>(task));
    int nobody = 0;
    if (held.worker.compare_exchange_strong(nobody, own_number)) board->done++;
    else held.resumed = now_ns();
    for (;;) ::pause();
}

pawl::Workflow<int> held(pawl::Context& ctx, int in) {
    const int first = co_await ctx.step("first", pass, in).on_loop();
    const int middle = co_await ctx.step("middle", hold, first).timeout(1h);
    co_return co_await ctx.step("last", pass, middle).on_loop();
}

void pause_a_little() { std::this_thread::sleep_for(200us); }

template <class Type>
void fill(const std::string& store, const Type& type, int tasks, int priority = 0) {
    const pawl::Client client = pawl::Client::open(store).value();
    std::vector<int> inputs;
    for (int i = 0; i < tasks; i++) inputs.push_back(i);
    for (const auto& task : client.submit_many(type, inputs, pawl::SubmitOptions().priority(priority)))
        if (!task) give_up(task.error().message);
}

struct Form {
    const char* workload;
    const char* what;
    const char* metric;
    int units;  // that a task counts for
};

void measure_fleet(const Run& run, const Form& form, int workers) {
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "fleet");
    const bool is_steps = form.units > 1;
    const int tasks = run.units(is_steps ? 2'000 : 8'000, 1'000, 40'000);
    fill(store, is_steps ? steps_type : no_op_type, tasks);
    const Server server(store);
    server.exec("analyze");
    Fleet fleet(folder, form.what, store, workers);
    fleet.board().count = tasks;
    const double server_before = server.cpu_s();
    const std::int64_t begun = now_ns();
    fleet.begin();
    const double length = fleet.wait_for_count(begun);
    const double server_cpu = server.cpu_s() - server_before;
    fleet.end();

    Figure f;
    f.workload = form.workload;
    f.k = held_at_once;
    f.workers = workers;
    f.metric = form.metric;
    const double units = static_cast<double>(tasks) * form.units;
    f.value = units / length;
    f.unit = "/s";
    f.cpu_s_per_1000 = static_cast<double>(fleet.board().cpu_us) * 1e-6 / units * 1'000;
    char beside[48];
    std::snprintf(beside, sizeof beside, "server %.4f", server_cpu / units * 1'000);
    f.ratio = beside;
    f.wanted = is_steps ? ">= 10,000/s" : ">= 20,000/s";
    run.report.add(f);
}

// Copies of one task that waits, with the entry that says so.
void queue_copies(const Server& server, int copies) {
    const std::string n = std::to_string(copies);
    server.exec(
        "create temp table copied as select * from task where line = 1 order by sort_key desc limit 1;"
        "create temp table copied_entry as select j.* from journal j join copied on j.task = copied.id;"
        "create temp table made as select nextval('task_id') as id, i, (select sort_key from copied) + i as sort_key "
        "from generate_series(1, " +
        n +
        ") i;"
        "update copied set id = 0; alter table copied drop column id, drop column sort_key, drop column public_id, "
        "drop "
        "column root, drop column xact;"
        "alter table copied_entry drop column task, drop column xact, drop column seq;");
    server.exec(
        "do $$ declare names text; begin "
        "select string_agg(quote_ident(attname), ', ') into names from pg_attribute where attrelid = "
        "'copied'::regclass and attnum > 0 and not attisdropped;"
        "execute format('insert into task(id, public_id, sort_key, root, %s) select m.id, "
        "decode(md5(m.id::text), ''hex''), m.sort_key, m.id, %s from made m, copied', names, names);"
        "select string_agg(quote_ident(attname), ', ') into names from pg_attribute where attrelid = "
        "'copied_entry'::regclass and attnum > 0 and not attisdropped;"
        "execute format('insert into journal(task, seq, %s) select m.id, m.i, %s from made m, copied_entry', names, "
        "names);"
        "end $$;"
        "drop table copied, copied_entry, made");
    for (const char* upkeep : {"vacuum analyze task", "vacuum analyze journal", "checkpoint"}) server.exec(upkeep);
}

double claims_per_s(const Run& run, int queued) {
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "claims");
    const int tasks = run.units(4'000, 2'000, 10'000);
    fill(store, no_op_type, 1, -50);
    const Server server(store);
    queue_copies(server, queued - 1);
    fill(store, no_op_type, tasks, 50);
    Fleet fleet(folder, "no-op", store, 1);
    fleet.board().count = tasks;
    const std::int64_t begun = now_ns();
    fleet.begin();
    const double length = fleet.wait_for_count(begun);
    fleet.kill_all();
    server.exec("do $$ begin execute format('drop schema %I cascade', current_schema()); end $$");
    Figure f;
    f.workload = "claims";
    f.k = queued;
    f.metric = "process_per_s";
    f.value = tasks / length;
    f.unit = "/s";
    run.report.add(f);
    return f.value;
}

}  // namespace

Fleet::Fleet(const Folder& folder, const std::string& what, std::string store, int workers)
    : file_(folder.file("board")), board_(file_) {
    for (int no = 1; no <= workers; no++) {
        workers_.push_back(std::make_unique<Child>(
            "fleet", store,
            std::vector<std::string>{"--child-type", what, "--child-board", file_, "--child-no", std::to_string(no)}));
    }
    while (board_->ready < workers) pause_a_little();
}

double Fleet::wait_for_count(std::int64_t begun) const {
    while (board_->counted == 0) pause_a_little();
    return seconds(board_->counted - begun);
}

std::int64_t Fleet::kill(int worker) {
    const std::int64_t killed = now_ns();
    workers_.at(static_cast<std::size_t>(worker - 1))->kill();
    workers_.erase(workers_.begin() + worker - 1);
    return killed;
}

void Fleet::kill_all() {
    for (const auto& worker : workers_) worker->kill();
    workers_.clear();
}

void Fleet::end() {
    for (const auto& worker : workers_) worker->end();
    workers_.clear();
}

// Works when it may, until its input ends.
int fleet_child(const Options& options) {
    const SharedBoard shared(options.child_board);
    board = shared.operator->();
    own_number = options.child_no;
    const bool holds = options.child_type == "hold";
    pawl::Program program;
    program.workflow(no_op_type, no_op);
    program.workflow(steps_type, ten_steps);
    program.workflow(hold_type, held);
    pawl::Worker worker(program, options.child_store,
                        pawl::WorkerOptions().concurrency(holds ? tasks_in_flight / 2 : held_at_once));
    if (const auto opened = worker.open(); !opened) give_up(opened.error().message);
    board->ready++;
    while (!board->is_begun) pause_a_little();
    const Stopwatch watch;
    if (const auto started = worker.start(); !started) give_up(started.error().message);
    std::getchar();
    board->cpu_us += static_cast<std::int64_t>(watch.cpu() * 1e6);
    worker.drain();
    return 0;
}

void fleet(const Run& run) {
    if (!run.is_on_server()) return;
    constexpr std::array forms{Form{"W1", "no-op", "process_per_s", 1},
                               Form{"W2", "steps", "steps_per_s", steps_of_a_task}};
    for (const Form& form : forms)
        for (const int workers : {1, 2, 4})
            if (run.options.wants_workers(workers)) measure_fleet(run, form, workers);
}

void claims(const Run& run) {
    if (!run.is_on_server()) return;
    const double few = claims_per_s(run, 1'000);
    const double many = claims_per_s(run, 1'000'000);
    Figure f;
    f.workload = "claims";
    f.k = 1'000'000;
    f.metric = "share_of_rate_with_1000";
    f.value = many / few;
    f.wanted = ">= 0.9";
    run.report.add(f);
}

void fleet_recovery(const Run& run) {
    const Folder folder(run.folder);
    const std::string store = run.store(folder, "recovery");
    fill(store, hold_type, tasks_in_flight);
    Fleet fleet(folder, "hold", store, 3);
    fleet.begin();
    while (fleet.board().done < tasks_in_flight) pause_a_little();
    std::this_thread::sleep_for(2s);  // the others have renewed their leases, and see one another

    std::array<int, 4> held_by{};
    for (const Board::Held& held : fleet.board().held) held_by.at(static_cast<std::size_t>(held.worker))++;
    const int victim = static_cast<int>(std::max_element(held_by.begin(), held_by.end()) - held_by.begin());
    const std::int64_t killed = fleet.kill(victim);
    std::int64_t first = 0, last = 0;
    for (int resumed = 0; resumed < held_by.at(static_cast<std::size_t>(victim));) {
        pause_a_little();
        resumed = 0;
        first = last = 0;
        for (const Board::Held& held : fleet.board().held) {
            if (held.resumed == 0) continue;
            resumed++;
            last = std::max<std::int64_t>(last, held.resumed);
            first = first == 0 ? held.resumed.load() : std::min<std::int64_t>(first, held.resumed);
        }
    }
    fleet.kill_all();

    Figure f;
    f.workload = "W7";
    f.k = tasks_in_flight;
    f.workers = 3;
    f.unit = "s";
    f.metric = "first_resumed_s";
    f.value = seconds(first - killed);
    f.ratio = std::to_string(held_by.at(static_cast<std::size_t>(victim))) + " were its";
    run.report.add(f);
    f.metric = "all_resumed_s";
    f.value = seconds(last - killed);
    f.ratio = "";
    f.wanted = "<= 2 s";
    run.report.add(f);
}

}  // namespace bench
