#include "child.hpp"

#include "measure.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <utility>

namespace bench {

Child::Child(const std::string& what, const std::string& store, const std::vector<std::string>& more) : what_(what) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) give_up("no pipe");
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::vector<const char*> words{program.c_str(), "--child", what.c_str(), "--child-store", store.c_str()};
    for (const std::string& word : more) words.push_back(word.c_str());
    words.push_back(nullptr);
    pid_ = ::vfork();
    if (pid_ < 0) give_up("no process could be started");
    if (pid_ == 0) {
        ::dup2(in[0], 0);
        ::dup2(out[1], 1);
        ::execv(program.c_str(), const_cast<char* const*>(words.data()));
        ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = out[0];
}

Child::~Child() {
    if (pid_ != 0) kill();
    if (input_ >= 0) ::close(input_);
    ::close(output_);
}

std::string Child::line() {
    for (;;) {
        if (const auto at = rest_.find('\n'); at != std::string::npos) {
            std::string found = rest_.substr(0, at);
            rest_.erase(0, at + 1);
            return found;
        }
        std::array<char, 256> buffer{};
        const ssize_t got = ::read(output_, buffer.data(), buffer.size());
        if (got <= 0) give_up("the process for " + what_ + " ended early");
        rest_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

int Child::wait() {
    int status = 0;
    rusage used{};
    ::wait4(std::exchange(pid_, 0), &status, 0, &used);
    const auto of = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    cpu_s_ = of(used.ru_utime) + of(used.ru_stime);
    return status;
}

void Child::end() {
    ::close(std::exchange(input_, -1));
    if (const int status = wait(); status != 0) give_up("the process for " + what_ + " did not end well");
}

void Child::kill() {
    ::kill(pid_, SIGKILL);
    wait();
}

}  // namespace bench
