// A program whose steps leave a line each in the file that PAWL_LEDGER names: what really ran is known from outside,
// whatever the journal says. Its workflows do what a crash test needs, nothing that a user would want.
#include <pawl/pawl.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::string ledger() {
    const char* path = std::getenv("PAWL_LEDGER");
    return path ? path : "ledger";
}

// One write: it is in the file whole, or not at all.
void leave(const std::string& line) {
    const std::string text = line + "\n";
    const int fd = ::open(ledger().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw pawl::final_error("the ledger cannot be written: " + ledger());
    ::close(fd);
}

int count_lines(const std::string& line) {
    std::ifstream in(ledger());
    int lines = 0;
    for (std::string each; std::getline(in, each);) lines += each == line ? 1 : 0;
    return lines;
}

int note(const std::string& step, int value, const pawl::Attempt& attempt) {
    leave(step + " " + attempt.key());
    return value;
}

int note_at_second_attempt(const std::string& step, const pawl::Attempt& attempt) {
    if (attempt.number() == 1) throw pawl::retryable("the first attempt fails");
    return note(step, attempt.number(), attempt);
}

std::optional<int> was_noted(const std::string& step, int value, const pawl::Attempt& attempt) {
    if (count_lines(step + " " + attempt.key()) == 0) return std::nullopt;
    return value;
}

// A step of every kind, a failed attempt with its back-off, two branches, a timer.
pawl::Workflow<int> steps(pawl::Context& ctx, int start) {
    int sum = start;
    sum += co_await ctx.step("pool", note, "pool", 1);
    sum += co_await ctx.step("loop", note, "loop", 2).on_loop();
    sum += co_await ctx.step("look", note, "look", 3).effect(pawl::Effect::read);
    const auto check = pawl::OnUnknown::verify(was_noted, "once", 4);
    sum += co_await ctx.step("once", note, "once", 4).effect(pawl::Effect::once).on_unknown(check);
    sum += co_await ctx.step("again", note_at_second_attempt, "again").retry(pawl::Retry().delay(1ms).jitter(0));
    co_await ctx.sleep(1ms);
    auto left = ctx.step("left", note, "left", 5);
    auto right = ctx.step("right", note, "right", 6);
    auto both = ctx.all(std::move(left), std::move(right));
    const auto [five, six] = co_await std::move(both);
    sum += five + six;
    co_return sum;
}

void linger(int ms) { ::poll(nullptr, 0, ms); }

int note_slowly(const std::string& step, int ms, const pawl::Attempt& attempt) {
    linger(ms);
    leave(step + " " + attempt.key());
    linger(ms);
    return ms;
}

// A receiver that honours fences, as it must be where a worker may wake up after its task was taken over: a file for
// each key, with what was done, and up to which fence nothing may be done any more.
class Receiver {
public:
    explicit Receiver(const std::string& key) {
        const std::string folder = ledger() + ".once";
        ::mkdir(folder.c_str(), 0700);
        fd_ = ::open((folder + "/" + key).c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd_ < 0 || ::flock(fd_, LOCK_EX) != 0) throw pawl::final_error("no receiver for " + key);
        std::ifstream in(folder + "/" + key);
        std::string word;
        for (std::int64_t fence = 0; in >> word >> fence;) {
            if (word == "done") is_done_ = true;
            else closed_ = std::max(closed_, fence);
        }
    }
    ~Receiver() { ::close(fd_); }
    Receiver(const Receiver&) = delete;
    Receiver& operator=(const Receiver&) = delete;

    bool is_done() const { return is_done_; }
    bool takes(std::int64_t fence) const { return fence > closed_ || closed_ == 0; }
    void put(const std::string& word, std::int64_t fence) const {
        const std::string line = word + " " + std::to_string(fence) + "\n";
        if (::write(fd_, line.data(), line.size()) < 0) throw pawl::final_error("the receiver cannot write");
    }

private:
    int fd_ = -1;
    bool is_done_ = false;
    std::int64_t closed_ = 0;
};

int deliver(int ms, const pawl::Attempt& attempt) {
    linger(ms);
    {
        const Receiver receiver(attempt.key());
        if (!receiver.takes(attempt.fence())) throw pawl::final_error("the receiver has heard of a newer claim");
        receiver.put("done", attempt.fence());
    }
    linger(ms);
    return ms;
}

// Once it has said that nothing happened, nothing of an older claim may happen any more.
std::optional<int> was_delivered(int ms, const pawl::Attempt& attempt) {
    const Receiver receiver(attempt.key());
    if (receiver.is_done()) return ms;
    receiver.put("closed", attempt.fence() - 1);
    return std::nullopt;
}

// Steps that take their time, so that whatever happens to a worker finds it in the middle of some.
pawl::Workflow<int> slow_steps(pawl::Context& ctx, int ms) {
    int sum = co_await ctx.step("first", note_slowly, "first", ms);
    const auto check = pawl::OnUnknown::verify(was_delivered, ms);
    sum += co_await ctx.step("deliver", deliver, ms).effect(pawl::Effect::once).on_unknown(check);
    co_await ctx.sleep(1ms);
    auto left = ctx.step("left", note_slowly, "left", ms);
    auto right = ctx.step("right", note_slowly, "right", 0);
    auto both = ctx.all(std::move(left), std::move(right));
    const auto [one, other] = co_await std::move(both);
    sum += one + other;
    sum += co_await ctx.step("last", note, "last", 1).on_loop();
    co_return sum;
}

void die(bool deadly) {
    if (deadly) ::raise(SIGKILL);
}

bool is_deadly() {
    std::ifstream in(ledger());
    std::string line;
    return !std::getline(in, line) || line != "harmless";
}

// Kills its process at once, until the ledger begins with "harmless".
pawl::Workflow<std::string> poison(pawl::Context& ctx, int) {
    die(is_deadly());
    co_await ctx.step("harmless", note, "harmless", 1);
    co_return std::string("cured");
}

// Its step works on a local of the workflow, by reference, until it is told to stop or its process dies.
pawl::Workflow<std::size_t> blocking(pawl::Context& ctx, int) {
    std::vector<std::string> local(1'000, "a text that is too long to lie in the string itself");
    const auto block = [&local](const pawl::Attempt& attempt) {
        attempt.log("it blocks");
        std::size_t letters = 0;
        for (std::size_t i = 0; !attempt.stop_requested() && is_deadly(); i = (i + 1) % local.size()) {
            letters += local[i].size();
            ::poll(nullptr, 0, 1);
        }
        if (attempt.stop_requested()) throw pawl::retryable("stopped after " + std::to_string(letters) + " letters");
        return local.size();
    };
    const std::size_t lines = co_await ctx.step("block", block).timeout(10min);
    co_return lines;
}

}  // namespace

int main(int argc, char** argv) {
    pawl::Program program;
    program.workflow("steps", steps);
    program.workflow("slow_steps", slow_steps);
    program.workflow("poison", poison);
    program.workflow("blocking", blocking);
    return program.main(argc, argv);
}
