#include "cli/shard_connections.hpp"

#include "runtime/asio_loop.hpp"
#include "store/postgres/at_once.hpp"

#include <algorithm>

namespace pawl::cli {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

ShardConnections::ShardConnections(const StoreUrl& store, Connection::Defaults defaults)
    : set_(store.shards),
      defaults_(std::move(defaults)),
      connections_(static_cast<std::size_t>(set_->count())),
      away_(connections_.size()) {}

Result<server::Response> ShardConnections::call(Access access, const server::Request& request) {
    if (auto opened = set_->open(access == Access::create); !opened) return opened.error();
    access_ = access;
    return server::call_shards(*this, request);
}

Result<server::Response> ShardConnections::ask(int shard, const server::Request& request) {
    const auto i = set_->find(shard);
    if (!i) return i.error();
    std::optional<Away>& away = away_[*i];
    const auto start = SteadyClock::now();
    if (away && start < away->until) return away->error;
    away.reset();
    if (!connections_[*i]) connections_[*i] = std::make_unique<Connection>(set_->url(*i), defaults_);
    auto answer = server::as_asked(request, connections_[*i]->call(access_, request));
    if (answer) return answer;
    // The longer it took to hear nothing, the longer the others are not held up by it.
    const auto took = SteadyClock::now() - start;
    away = {answer.error(), SteadyClock::now() + std::max<SteadyClock::duration>(1s, 2 * took)};
    connections_[*i]->release();
    return answer;
}

std::vector<std::optional<Result<server::Response>>> ShardConnections::ask_all(
    std::vector<std::optional<server::Request>> requests) {
    std::vector<std::optional<Result<server::Response>>> answers(requests.size());
    store::at_once(requests.size(), [&](std::size_t s) {
        if (requests[s]) answers[s] = ask(static_cast<int>(s), *requests[s]);
    });
    return answers;
}

int ShardConnections::draw(int end) {
    runtime::MachineRandom random;
    return static_cast<int>(random.next() % static_cast<std::uint64_t>(end));
}

}  // namespace pawl::cli
