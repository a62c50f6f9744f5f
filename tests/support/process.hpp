// Runs a program and waits for it: for tests of the command line.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace pawl::test {

struct ProcessResult {
    int exit = -1;  ///< exit code; 128 + signal when a signal ended it
    std::string out, err;
};

/// Where a program runs.
struct Surroundings {
    std::vector<std::string> environment{};  ///< NAME=value, beside ours
    std::string folder{};                    ///< empty = ours
};

/// Runs `argv` (argv[0] is a path, or a name to be found in PATH) with `input` on stdin until it ends. Fails the test
/// (and answers exit -1) when it cannot be started.
ProcessResult run(const std::vector<std::string>& argv, const std::string& input = {},
                  const Surroundings& surroundings = {});

/// True when a program of that name is in PATH.
bool is_installed(const std::string& program);

/// A program that goes on beside the test. Killed with -9 and reaped when this goes out of scope.
class Background {
public:
    explicit Background(const std::vector<std::string>& argv, const Surroundings& surroundings = {});
    ~Background();
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// Whether it has ended; wait() tells how.
    bool has_ended() const;
    /// Reads stdout and stderr until the next line that holds `part`; the line, or "" when the program ended before.
    std::string wait_for_line(const std::string& part);
    /// Waits for its end; what was left in its output comes along (stdout and stderr in one, in `out`).
    ProcessResult wait();

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::string unread_;
    bool reaped_ = false;
};

}  // namespace pawl::test
