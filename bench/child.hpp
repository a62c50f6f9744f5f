// Processes that a workload starts of this same program, to kill or to watch them.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

class Child {
public:
    /// Starts this program as `--child WHAT --child-store URL MORE...`; its output comes back by line(), its input ends
    /// with it.
    Child(const std::string& what, const std::string& store, const std::vector<std::string>& more = {});
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// The next line of its output, without the end of line; gives up when it ends before.
    std::string line();
    /// Closes its input, which asks it to end, and waits. Gives up when it did not end well.
    void end();
    /// SIGKILL, and waits until it is gone.
    void kill();
    pid_t pid() const { return pid_; }
    /// User and system time, once it has ended.
    double cpu_s() const { return cpu_s_; }

private:
    int wait();

    std::string what_, rest_;
    pid_t pid_ = 0;
    int input_ = -1, output_ = -1;
    double cpu_s_ = 0;
};

}  // namespace bench
