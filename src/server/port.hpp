// How the router reaches the engine. Two implementations: DirectPort owns a store in this process (nobody works the
// file); the running worker gives its own, on its loop and its store thread.
#pragma once

#include "core/command.hpp"
#include "core/store.hpp"
#include "core/validate.hpp"

#include <pawl/result.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pawl::server {

/// What a process that works the file can run. `types` is what its claims ask for.
struct WorkerStatus {
    std::vector<core::ServedType> types;
    std::vector<std::string> queues;  ///< empty = all
    int slots = 0;                    ///< tasks it runs at once; 0 = no limit
    int busy = 0;
    bool draining = false;  ///< it was told to stop and claims no more
};

/// A step whose attempt is under way: live information, not durable.
struct LiveStep {
    std::string path;
    int attempt = 1;
    core::Instant since{};
    bool ignores_stop = false;  ///< its stop token was set and the grace has passed
};

/// What a wait is for. Waking without cause is allowed: the waiter reads again.
enum class Change {
    entry,  ///< a new entry of the journal
    state,  ///< the task became final, was paused or waits for a person
};

/// One wait. Destroying it, also from within its callback, cancels it: the callback is then not called again.
class Wait {
public:
    virtual ~Wait() = default;
};

/// Thread safety: none. All methods are called, and all callbacks run, on one thread (the loop of the worker; the
/// only thread of a direct port). A callback may run before the method returns.
class Port {
public:
    virtual ~Port() = default;

    /// Applies the commands, in order, in as few transactions as the store needs; calls back once with one answer
    /// each, after the flush. An answer's error may concern the whole batch (store_unavailable: outcome unknown).
    virtual void send(std::vector<core::Command> commands,
                      std::function<void(std::vector<Result<core::Answer>>)> done) = 0;

    /// Runs `work` where the store may be read (perhaps another thread, never beside another `work` of this port),
    /// then `done`. It sees everything that was acknowledged before the call.
    virtual void read(std::function<void(core::Reader&)> work, std::function<void()> done) = 0;

    /// Calls `woken(true)` once after a change of that kind was flushed (of `task`; nothing = of any) later than this
    /// call, or `woken(false)` once `limit` has passed or nothing can change here any more.
    virtual std::unique_ptr<Wait> wait(std::optional<core::TaskId> task, Change change, core::Micros limit,
                                       std::function<void(bool changed)> woken) = 0;

    /// The worker in this process; nothing when nobody works the file.
    virtual std::optional<WorkerStatus> worker() const = 0;
    /// Attempts that are under way for this task; empty when unknown.
    virtual std::vector<LiveStep> live_steps(core::TaskRef task) const = 0;

    /// Adds what the registration of the request's type says and the request left open (queue, priority, deadline,
    /// definition); nothing when this program does not have the type.
    virtual void set_defaults(core::SubmitRequest& request) const = 0;

    /// The shard of the store that this port leads to: it stands in the ids of new tasks.
    virtual int shard() const { return 0; }

    /// Path of the file, for people; "memory" where there is none.
    virtual std::string store_name() const = 0;
    virtual const core::Clock& clock() const = 0;
    virtual core::Instant store_now() const = 0;
    virtual core::Random& random() = 0;
};

}  // namespace pawl::server
