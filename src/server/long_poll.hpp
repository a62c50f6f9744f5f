// Requests that wait for something to happen: register the wait, look, and look again after each change, so that
// nothing is missed between looking and waiting.
#pragma once

#include "server/message.hpp"
#include "server/port.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace pawl::server {

class LongPoll;

/// What one waiting request asks. `look` answers once the wait is over; with `last` it must answer.
struct PollParams {
    std::optional<core::TaskId> task;  ///< nothing = any
    Change change = Change::entry;
    core::Micros limit{0};
    std::function<std::optional<Response>(core::Reader&, bool last)> look;
    Respond respond;
};

/// The long polls under way. Thread safety: none (the router's thread).
class LongPolls {
public:
    explicit LongPolls(Port& port) : port_(&port) {}
    LongPolls(const LongPolls&) = delete;
    LongPolls& operator=(const LongPolls&) = delete;
    ~LongPolls();

    /// Answers at once when `look` does, else after a change or the limit, whichever comes first.
    void start(PollParams params);

    /// Every poll looks a last time and answers: the process is about to leave.
    void stop();

private:
    Port* port_;
    bool stopped_ = false;
    std::vector<std::shared_ptr<LongPoll>> polls_;
};

}  // namespace pawl::server
