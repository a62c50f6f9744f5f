// Working a file until a signal, or until something is done: what `worker`, `run` and `demo` share.
#pragma once

#include "cli/held_stores.hpp"

#include <boost/asio/signal_set.hpp>

#include <atomic>
#include <functional>
#include <optional>

namespace pawl::cli {

/// Logs go to stderr, one line each; PAWL_LOG=debug|info|warn|error|off (default: `default_level`).
void log_to_stderr(const char* default_level);

/// Works the file on the calling thread until leave() or a signal.
///
/// SIGTERM or SIGINT: claims nothing more, hands back what runs, leaves. A second one leaves at once.
class Working {
public:
    explicit Working(HeldStores& held);
    ~Working() { held_.on_fatal({}); }
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

    /// Returns when everything is handed back. The answer: the signal that ended it, 0 for leave(), -1 when the
    /// store was lost for good (`lost` says why).
    int run();
    /// Begins to leave, as SIGTERM does. Main loop.
    void leave() { begin_leave(0); }
    /// Any thread.
    bool leaving() const { return leaving_; }
    const std::optional<Error>& lost() const { return lost_; }

private:
    void on_signal();
    void begin_leave(int signal);

    HeldStores& held_;
    boost::asio::signal_set signals_;
    int signal_ = 0;
    std::atomic<bool> leaving_ = false;
    std::optional<Error> lost_;
};

/// What the end of the store has cost, for people; nothing when all is written and handed back.
std::optional<Error> loss_of(const runtime::StoreEnd& end);

/// How long a function that has ended may take to leave its thread.
constexpr core::Micros left_after_drain{std::chrono::milliseconds(200)};

/// Returns `code`, or ends the process with it when functions of steps still run after `limit`: those that ignore their
/// stop would hold it for ever, and what they do is not recorded.
int leave_functions_behind(HeldStores& held, core::Micros limit, int code);

}  // namespace pawl::cli
