// One claimed task while this process holds it: its coroutine, its operations, what it has recorded.
//
// The life of an execution: load the journal (nothing when fresh) -> feed it entry by entry, each time running the
// code until all its branches wait -> live: settle() starts what the code newly awaits, records what came to an end,
// and parks the task when only durable waits are left. Live and replay deliver the same entries in the same order.
//
// Everything here happens on the loop thread. Functions of steps run elsewhere and come back by a post.
#pragma once

#include "core/backoff.hpp"
#include "core/command.hpp"
#include "core/store.hpp"
#include "runtime/attempt.hpp"
#include "runtime/loop.hpp"
#include "runtime/registry.hpp"

#include <pawl/workflow.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace pawl::runtime {
class Engine;
}

namespace pawl::detail {

/// Thrown by a built-in workflow when a budget of its task is used up.
class BudgetSpent : public std::runtime_error {
public:
    BudgetSpent(const std::string& text, OnBreach b) : std::runtime_error(text), on_breach(b) {}
    OnBreach on_breach;
};

class Execution final : public DoneListener {
public:
    enum class Phase : std::uint8_t {
        loading,  ///< the journal is being fed
        live,
        leaving,  ///< a Record with a transition is under way
        parked,   ///< the frame is kept for the next claim
        gone,     ///< holds nothing any more; freed when the last step function has returned
    };

    Execution(runtime::Engine& engine, std::uint64_t serial, core::ClaimedTask claimed, const RegisteredType& type);
    ~Execution();

    /// Starts or resumes the claimed task.
    void begin();
    /// Begins only when nothing of a former hold runs any more, or when there is nothing to start: an end, a pause.
    void wait_for_former();
    void former_is_gone();
    /// The task was claimed again and its frame is still here.
    void resume_parked(core::ClaimedTask claimed);
    void on_ending(core::Ending ending);
    void on_pause_requested();
    /// Somebody has sent it a signal or an answer.
    void on_message();
    /// The engine stops: no new step starts; hand the task back when the running ones have ended.
    void on_drain();
    /// The drain's grace is over.
    void stop_for_drain() { stop_attempts(2); }
    /// Drop everything at once: the lease or the store is lost, or the drain took too long.
    void drop();

    // For the operations of the Context.
    void registered(OpBase& op);
    void schedule(std::coroutine_handle<> handle) { runnable_.push_back(handle); }
    void abandon_under(const std::string& prefix, Group& group);
    bool any_active_under(const std::string& prefix) const;
    /// Asks the group, once everything that can run has run, whether it is drained.
    void check_later(Group& group) { checks_.push_back(&group); }
    /// Its code goes on, and the group with it: checks that are still due, of groups within it, too, would find it
    /// gone.
    void drained(Group& group, const std::string& prefix);
    void diverge(std::string text);
    TimePoint observed_time() const;
    std::uint64_t random();
    bool patched(std::string_view id);
    void set_progress(double done, std::string_view text);
    void set_value(std::string_view key, std::string json);
    void log(std::string_view text) const;
    /// A budget like any other: the time that the task has been running, over all its claims.
    void limit_active_time(core::Micros limit, OnBreach on_breach) {
        active_limit_ = limit;
        on_active_breach_ = on_breach;
    }

    std::uint64_t serial() const { return serial_; }
    const core::TaskRow& row() const { return row_; }
    const std::string& definition() const { return definition_; }
    Phase phase() const { return phase_; }
    runtime::Engine& engine() { return engine_; }
    /// Given up, but functions of its steps still run.
    bool is_lingering() const { return phase_ == Phase::gone && !running_.empty(); }
    bool removable() const { return phase_ == Phase::gone && running_.empty() && in_flight_ == 0; }
    /// An attempt under way, for people.
    struct LiveAttempt {
        std::string path;
        int number = 1;
        core::Instant since{};
        bool ignores_stop = false;
    };
    std::vector<LiveAttempt> live_attempts() const;

    void coroutine_done() override { root_done_ = true; }

private:
    // One attempt whose function is running. It stays here until the function has returned.
    struct Running {
        Running(OpBase& o, std::shared_ptr<AttemptState> s) : op(&o), state(std::move(s)), attempt(*state) {}
        OpBase* op;
        std::shared_ptr<AttemptState> state;
        Attempt attempt;
        std::optional<AsyncRun> async;
        std::optional<std::string> over;  // why it was ended from here: timeout, idle
        runtime::TimerToken timer = 0, idle_timer = 0;
        core::Instant since{};
        bool checking = false;  // a check of an unknown outcome, not the step itself
        bool deaf = false;      // the task ended without it
    };
    // What a function came to.
    struct Ended {
        std::string result;
        bool happened = true;  // of a check
        bool has_begun = true;
        std::exception_ptr error;
    };
    struct Draft {
        core::EntryDraft entry;
        OpBase* op = nullptr;
        std::shared_ptr<AttemptState> intent_of;  // answered when the entry is flushed
    };

    // execution_retry.cpp: what a retry of the task left void, and the keys of steps
    bool is_void(int no) const;
    void feed_void(core::Entry& entry);
    void feed_reopened(const core::Entry& entry);
    int generation_of(const OpBase& op) const;
    void doubt_effect(const std::string& path, const OpBase* op, core::EntryKind kind, const std::string& result,
                      const std::string& error);
    void doubt_what_ran(const core::Entry& entry);

    // execution.cpp: feeding and settling
    void load_more();
    void on_loaded(core::Loaded loaded);
    void feed(core::Entry& entry);
    void feed_operation(core::Entry& entry);
    void apply_to_op(OpBase& op, core::EntryKind kind, std::int64_t number, std::int64_t at_us, std::int64_t due_us,
                     std::string& result, std::string& error);
    void complete_op(OpBase& op);
    void run_code();
    void go_live();
    void settle();
    void start_fresh();
    void start_op(OpBase& op);
    void look_at_timer(OpBase& op, std::int64_t now_us);
    bool only_durable_waits() const;
    core::Park park() const;
    void finish();
    core::Transition outcome_of_code();
    static core::Transition breach(const BudgetSpent& spent);
    void arm_wake();
    void arm_active_time();

    // execution_messages.cpp: signals, answers, and what the code notes for people
    struct Message {
        core::EntryKind kind = core::EntryKind::signalled;
        int no = 0;
        std::string path;  // of an answer its operation's, else the signal's name
        std::string value;
        bool is_drafted = false;  // an operation is taking it
    };
    void see_message(core::Entry& entry);
    void load_messages();
    void have_looked_late();
    bool is_observing() const;
    void open_wait(OpBase& op);
    const Message* message_for(const OpBase& op) const;
    void look_at_wait(OpBase& op, std::int64_t now_us);
    void end_wait(OpBase& op, int message_no);
    void apply_to_wait(OpBase& op, core::EntryKind kind, int number, std::int64_t at_us, std::int64_t due_us);
    void keep_value(std::string_view key, const std::string& json);
    void note(core::EntryKind kind, std::string_view path, std::string json);

    // execution_ending.cpp
    void settle_ending();

    // execution_record.cpp: writing
    void draft(core::EntryKind kind, OpBase& op, std::int64_t number, std::string result = {}, std::string error = {},
               std::optional<core::Micros> due_in = std::nullopt);
    void send_record(core::Transition next = {});
    void leave_to_newer(const core::Entry& entry);
    void on_recorded(core::Command& command, std::vector<Draft>& drafts, Result<core::Answer>& answer);
    void on_refused(core::Record& record, std::vector<Draft>& drafts, const Error& error);
    void forget_unsent_intents();
    void leave();

    // execution_steps.cpp: attempts
    Retry policy_of(const OpBase& op) const;
    void start_attempt(OpBase& op);
    void run_attempt(OpBase& op);
    std::shared_ptr<AttemptState> new_attempt(const OpBase& op);
    void run_in_place(OpBase& op, const std::shared_ptr<AttemptState>& state);
    void launch(OpBase& op, bool checking);
    core::Micros time_to_run(const Running& running) const;
    void watch_time(Running& running);
    void watch_idle(Running& running);
    void on_function_end(Running* running, Ended ended);
    void end_attempt(OpBase& op, bool stopped, std::optional<std::string> over, Ended ended);
    void never_began(OpBase& op);
    static bool has_returned(const Ended& ended);
    void record_result(OpBase& op, int number, Ended& ended);
    void attempt_failed(OpBase& op, core::Failure failure, std::optional<core::Micros> retry_after);
    void again_or_fail(OpBase& op, core::Failure failure, std::optional<core::Micros> retry_after, int number);
    enum class End : std::uint8_t { in_life, by_crash };
    void attempt_unknown(OpBase& op, const core::Failure& failure, End end);
    void decide_unknown(OpBase& op, const std::string& why, int number);
    void end_check(OpBase& op, bool stopped, const std::optional<std::string>& over, Ended ended);
    void take_word(OpBase& op, std::string result);
    void recover(OpBase& op);
    void ask_a_person(OpBase& op, const std::string& alive);
    void record_intent(const std::shared_ptr<AttemptState>& state, std::string identity);
    void cancel_op(OpBase& op);
    void attempt_lost(OpBase& op);
    bool may_start() const;
    void stop_attempts(int level);
    void stop_attempt(Running& running, int level);
    void over(Running& running, std::string why);
    Running* running_of(const OpBase& op);
    std::optional<core::Micros> total_left(const OpBase& op) const;
    std::optional<core::Micros> time_left(const OpBase& op) const;

    runtime::Engine& engine_;
    const std::uint64_t serial_;
    const RegisteredType& type_;
    core::TaskRow row_;
    std::string definition_;
    std::vector<std::pair<int, int>> voided_;
    std::map<std::string, std::string> salvaged_;        // results inside a void range, by path
    std::map<std::string, std::string> kept_failures_;   // there, of effects that happened without a stored result
    std::map<std::string, std::string> told_;            // results that a person gave, not yet checked, by path
    std::map<std::string, OpState> voided_steps_;        // what one says about effects of steps not yet awaited
    std::map<std::string, ErrorClass> voided_failures_;  // of the newest failure inside one, by path
    std::map<std::string, int> generations_;             // by path; raised by a retry after a known failure
    std::set<std::string> doubted_;                      // paths: an attempt under the present key may have happened

    Phase phase_ = Phase::loading;
    bool waits_ = false;
    bool root_done_ = false;
    bool replaying_ = true;
    bool pause_requested_ = false;
    bool holds_slot_ = true;
    bool settling_ = false;
    bool past_grace_ = false;
    std::optional<std::string> diverged_;
    std::optional<std::string> pause_text_;  // a policy pauses the task when nothing runs
    Reason pause_reason_ = Reason::none;
    core::Ending ending_ = core::Ending::none;

    Context context_;
    Scope root_scope_;
    std::optional<Workflow<std::string>> root_;
    std::deque<std::coroutine_handle<>> runnable_;
    std::deque<Group*> checks_;
    std::map<std::string, Group*> abandoned_;  // scopes whose code is not resumed again, by prefix
    std::vector<OpBase*> active_;              // in the order of their start
    std::vector<OpBase*> fresh_;               // active ones that settle() must look at
    std::vector<Draft> drafts_;
    std::vector<Message> messages_;  // that no operation has taken
    int newest_message_ = 0;         // entries up to this one were looked at for messages
    bool loads_messages_ = false, has_more_messages_ = false;
    bool has_news_ = false;                                   // a message came while it was not live
    std::map<std::string, bool, std::less<>> patches_;        // what patched() has answered
    std::map<std::string, std::size_t, std::less<>> values_;  // sizes, by key; "" is its progress
    std::vector<std::unique_ptr<Running>> running_;
    int in_flight_ = 0;
    int known_no_ = 0;
    core::Instant observed_at_{};
    std::uint64_t randoms_ = 0;
    std::optional<core::Micros> active_limit_;
    OnBreach on_active_breach_ = OnBreach::pause;
    bool active_spent_ = false;
    runtime::TimerToken wake_timer_ = 0, stop_timer_ = 0, active_timer_ = 0;
};

}  // namespace pawl::detail
