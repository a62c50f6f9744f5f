// Several worker processes on one server, and what they do together.
#pragma once

#include "board.hpp"
#include "child.hpp"
#include "workloads.hpp"

#include <memory>
#include <vector>

namespace bench {

class Fleet {
public:
    /// `what`: no-op, steps or hold. They have opened the store when this returns, and wait for begin().
    Fleet(const Folder& folder, const std::string& what, std::string store, int workers);

    Board& board() const { return *board_.operator->(); }
    void begin() const { board_->is_begun = true; }
    /// Until `count` tasks are done (set in the board before the beginning); the seconds since the beginning.
    double wait_for_count(std::int64_t begun) const;
    /// SIGKILL to the one with this number, from 1; answers when it was sent.
    std::int64_t kill(int worker);
    void kill_all();
    /// Asks all to end and waits.
    void end();

private:
    const std::string file_;
    SharedBoard board_;
    std::vector<std::unique_ptr<Child>> workers_;
};

}  // namespace bench
