// A TCP proxy in front of a PostgreSQL server that cuts connections at chosen moments of a commit.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace pawl::test {

class CutProxy {
public:
    /// Where the next commit, or the next bytes, of a client meet their end.
    enum class Cut : std::uint8_t {
        before_commit,  ///< the server never hears of the commit
        during_commit,  ///< the commit goes out, and the connection is gone before there can be an answer
        after_commit,   ///< the server has committed; its answer is dropped
        at_bytes,       ///< somewhere in what the client sends, commit or not
        in_answer,      ///< somewhere in what the server sends
    };

    /// Passes connections on to 127.0.0.1:`server_port`.
    explicit CutProxy(int server_port);
    ~CutProxy();
    CutProxy(const CutProxy&) = delete;
    CutProxy& operator=(const CutProxy&) = delete;

    int port() const { return port_; }
    /// Armed until it has happened; the newest counts. `bytes`: for the kinds that count them. Unless it lingers, the
    /// server's session is over before another connection gets through.
    void arm(Cut cut, std::size_t bytes = 0, bool lingers = false);
    void disarm();
    /// Ends all connections, and lets no new one through until heal().
    void cut_off();
    void heal();
    /// From now on nothing passes, and nothing is closed: a machine that vanished. Until thaw().
    void freeze();
    void thaw();
    int cuts() const { return cuts_; }
    /// Of them those of one kind.
    int cuts(Cut cut) const { return cuts_of_[static_cast<std::size_t>(cut)]; }

private:
    struct Armed {
        Cut cut;
        std::size_t bytes;
        bool lingers;
    };
    struct Pair {
        int client = -1, server = -1;
        std::string sent;  // the end of what the client sent: a word may come in two pieces
        bool commit_is_out = false;
        bool is_over = false;
    };

    void run();
    void accept_one();
    void pass_from_client(Pair& pair);
    void pass_from_server(Pair& pair);
    static void end(Pair& pair);
    void cut(Pair& pair);
    /// What of `bytes` may still pass before the cut; nothing when no cut is due.
    std::optional<std::size_t> due(Cut cut, std::size_t bytes);
    bool take(Cut cut);

    const int server_port_;
    int listening_ = -1, wake_ = -1;
    int port_ = 0;
    std::mutex mutex_;
    std::optional<Armed> armed_;
    std::list<Pair> pairs_;  // of the thread
    std::atomic<bool> stopping_{false}, is_off_{false}, is_frozen_{false};
    std::atomic<int> cuts_{0};
    std::array<std::atomic<int>, 5> cuts_of_{};
    // The newest cut.
    Cut kind_{};
    bool lingers_ = false;
    std::thread thread_;
};

}  // namespace pawl::test
