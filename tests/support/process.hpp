// Real processes: started, watched by what they print, killed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace pawl::test {

/// What to start: program and arguments, folder, additional environment.
struct Command {
    std::vector<std::string> words;
    std::filesystem::path folder;
    std::vector<std::string> environment{};  ///< NAME=value
};

/// One running process, its standard output readable line by line. Standard error goes to `stderr.txt` in its folder.
class Process {
public:
    explicit Process(const Command& command);
    /// Kills it, if it still runs.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    /// Waits for a line of its output that contains `text`; false when its output ended before.
    bool wait_for_line(const std::string& text);
    /// SIGKILL, and waits until it is gone.
    void kill();
    /// Waits for its end: the exit code, or 128 + signal.
    int wait();
    /// All that it has printed so far, what is left included. Waits for its end.
    std::string output();

private:
    bool read_more();

    pid_t pid_ = 0;
    int output_ = -1;
    std::string text_;
    std::size_t seen_ = 0;
};

struct Finished {
    int exit_code = 0;
    std::string output, errors;
};
/// Runs a process to its end.
Finished run(const Command& command);

/// True when a program of that name is in PATH.
bool is_installed(const std::string& program);

}  // namespace pawl::test
