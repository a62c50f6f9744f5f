#include "support/process.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

namespace pawl::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> found;
    for (std::string& word : words) found.push_back(word.data());
    found.push_back(nullptr);
    return found;
}

}  // namespace

Process::Process(const Command& command) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) std::abort();
    std::vector<std::string> words = command.words;
    std::vector<std::string> environment;
    for (char** entry = environ; *entry; ++entry) environment.emplace_back(*entry);
    environment.insert(environment.begin(), command.environment.begin(), command.environment.end());
    const std::vector<char*> argv = pointers(words);
    const std::vector<char*> envp = pointers(environment);
    const std::string folder = command.folder.string();
    const std::string errors = (command.folder / "stderr.txt").string();
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
        // Only what is safe after a fork of a process with threads.
        const int err = ::open(errors.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        if (::chdir(folder.c_str()) != 0 || err < 0) ::_exit(126);
        ::dup2(pipe[1], 1);
        ::dup2(err, 2);
        ::execvpe(argv[0], argv.data(), envp.data());
        ::_exit(127);
    }
    ::close(pipe[1]);
    output_ = pipe[0];
}

Process::~Process() {
    if (pid_ != 0) kill();
    ::close(output_);
}

bool Process::read_more() {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got > 0) text_.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0;
}

bool Process::wait_for_line(const std::string& text) {
    for (;;) {
        for (auto end = text_.find('\n', seen_); end != std::string::npos; end = text_.find('\n', seen_)) {
            const std::string line = text_.substr(seen_, end - seen_);
            seen_ = end + 1;
            if (line.find(text) != std::string::npos) return true;
        }
        if (!read_more()) return false;
    }
}

void Process::kill() {
    ::kill(pid_, SIGKILL);
    wait();
}

int Process::wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string Process::output() {
    while (read_more()) {}
    return text_;
}

Finished run(const Command& command) {
    std::filesystem::remove(command.folder / "stderr.txt");
    Process process(command);
    Finished finished;
    finished.output = process.output();
    finished.exit_code = process.wait();
    std::ostringstream errors;
    errors << std::ifstream(command.folder / "stderr.txt").rdbuf();
    finished.errors = errors.str();
    return finished;
}

bool is_installed(const std::string& program) {
    std::istringstream path(std::getenv("PATH") ? std::getenv("PATH") : "");
    for (std::string folder; std::getline(path, folder, ':');)
        if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
    return false;
}

}  // namespace pawl::test
