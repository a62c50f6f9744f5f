#include "support/process.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pawl::test {
namespace {

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) == 0) read = ends[0], write = ends[1];
    }
    ~Pipe() { close_read(), close_write(); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_read() {
        if (read >= 0) ::close(std::exchange(read, -1));
    }
    void close_write() {
        if (write >= 0) ::close(std::exchange(write, -1));
    }
    int read = -1, write = -1;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
}

pid_t spawn(const std::vector<std::string>& argv, const Surroundings& surroundings, int in, int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);

    if (!surroundings.folder.empty()) { posix_spawn_file_actions_addchdir_np(&actions, surroundings.folder.c_str()); }
    std::vector<std::string> all = surroundings.environment;
    for (char** at = environ; *at; ++at) all.emplace_back(*at);
    pid_t pid = -1;
    const int failed =
        ::posix_spawnp(&pid, argv.at(0).c_str(), &actions, nullptr, pointers(argv).data(), pointers(all).data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(failed, 0) << argv.at(0) << ": " << std::strerror(failed);
    return failed == 0 ? pid : -1;
}

int reap(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// One read; false at the end.
bool read_some(int fd, std::string& into) {
    std::array<char, 16 * 1024> buffer;
    ssize_t n = 0;
    while ((n = ::read(fd, buffer.data(), buffer.size())) < 0 && errno == EINTR) {}
    if (n > 0) into.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0;
}

// Feeds and drains all three at once: a program that fills one pipe must not wait for ever.
void exchange(Pipe& in, Pipe& out, Pipe& err, std::string_view input, ProcessResult& result) {
    ::fcntl(in.write, F_SETFL, O_NONBLOCK);
    if (input.empty()) in.close_write();
    while (out.read >= 0 || err.read >= 0) {
        std::array<pollfd, 3> fds{{{out.read, POLLIN, 0}, {err.read, POLLIN, 0}, {in.write, POLLOUT, 0}}};
        if (::poll(fds.data(), fds.size(), -1) < 0) continue;
        if (fds[0].revents != 0 && !read_some(out.read, result.out)) out.close_read();
        if (fds[1].revents != 0 && !read_some(err.read, result.err)) err.close_read();
        if (fds[2].revents == 0) continue;
        const ssize_t n = ::write(in.write, input.data(), input.size());
        if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
        if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.close_write();
    }
}

}  // namespace

ProcessResult run(const std::vector<std::string>& argv, const std::string& input, const Surroundings& surroundings) {
    ::signal(SIGPIPE, SIG_IGN);  // a program may end before it has read its input
    Pipe in, out, err;
    ProcessResult result;
    const pid_t pid = spawn(argv, surroundings, in.read, out.write, err.write);
    if (pid < 0) return result;
    in.close_read(), out.close_write(), err.close_write();
    exchange(in, out, err, input, result);
    result.exit = reap(pid);
    return result;
}

bool is_installed(const std::string& program) {
    std::istringstream folders(std::getenv("PATH") ? std::getenv("PATH") : "");
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
    }
    return false;
}

Background::Background(const std::vector<std::string>& argv, const Surroundings& surroundings) {
    Pipe out;
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_ = spawn(argv, surroundings, null, out.write, out.write);
    ::close(null);
    output_ = std::exchange(out.read, -1);
}

Background::~Background() {
    if (pid_ > 0 && !reaped_) {
        ::kill(pid_, SIGKILL);
        reap(pid_);
    }
    ::close(output_);
}

void Background::signal(int number) const { ::kill(pid_, number); }

bool Background::has_ended() const {
    siginfo_t info{};
    return reaped_ ||
           (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0);
}

std::string Background::wait_for_line(const std::string& part) {
    for (;;) {
        for (std::size_t end; (end = unread_.find('\n')) != std::string::npos;) {
            const std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            if (line.find(part) != std::string::npos) return line;
        }
        if (!read_some(output_, unread_)) return {};
    }
}

ProcessResult Background::wait() {
    ProcessResult result;
    result.out = std::exchange(unread_, {});
    while (read_some(output_, result.out)) {}
    result.exit = reap(pid_);
    reaped_ = true;
    return result;
}

}  // namespace pawl::test
