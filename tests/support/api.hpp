// A router on a memory store, for tests of the API without a socket.
#pragma once

#include "core/duration.hpp"
#include "server/direct_port.hpp"
#include "server/router.hpp"
#include "store/memory/memory_store.hpp"

#include <boost/json.hpp>

#include <memory>
#include <optional>
#include <string>

namespace pawl::test {

class ManualClock final : public core::Clock {
public:
    core::WallInstant wall() const override { return core::wall_instant(1'800'000'000'000'000) + passed; }
    core::Micros boot() const override { return passed; }
    core::Micros passed{0};
};

class CountingRandom final : public core::Random {
public:
    std::uint64_t next() override { return state_ += 0x9e3779b97f4a7c15; }

private:
    std::uint64_t state_ = 7;
};

struct ApiAnswer {
    int status = 0;
    server::Headers headers;
    std::string body;
    boost::json::object json;

    std::string text(std::string_view name) const {
        const boost::json::value* value = json.if_contains(boost::json::string_view(name.data(), name.size()));
        if (!value) return "(absent)";
        return value->is_string() ? std::string(value->get_string().c_str(), value->get_string().size())
                                  : boost::json::serialize(*value);
    }
};

class Api {
public:
    Api() : port(std::make_unique<store::MemoryStore>(clock), nullptr, clock, random, "test.db"), router(port) {}

    ApiAnswer call(const std::string& method, std::string_view target, std::string body = {},
                   server::Headers headers = {}) {
        server::Request request;
        request.method = method;
        request.headers = std::move(headers);
        request.body = std::move(body);
        server::parse_target(target, request);
        std::optional<server::Response> response;
        router.handle(std::move(request), [&](server::Response r) { response = std::move(r); });
        if (!response) return {};
        ApiAnswer answer{response->status, response->headers, response->body, {}};
        boost::system::error_code failed;
        boost::json::value parsed = boost::json::parse(response->body, failed);
        if (!failed && parsed.is_object()) answer.json = std::move(parsed.get_object());
        return answer;
    }
    ApiAnswer get(std::string_view target) { return call("GET", target); }
    ApiAnswer post(std::string_view target, std::string body, server::Headers headers = {}) {
        return call("POST", target, std::move(body), std::move(headers));
    }

    std::string submit(std::string body) { return post("/v1/tasks", std::move(body)).text("id"); }

    /// A command past the API, as a worker sends it.
    core::Answer command(core::Command command) {
        std::vector<core::Command> commands;
        commands.push_back(std::move(command));
        std::optional<core::Answer> answer;
        port.send(std::move(commands), [&](std::vector<Result<core::Answer>> a) { answer = a.at(0).value(); });
        return *answer;
    }
    core::ClaimedTask claim(const std::string& type) {
        const auto claimed = std::get<core::Claimed>(command(core::Claim{{{type, 1, 1}}, {}, 1}));
        return claimed.tasks.at(0);
    }
    void record(const core::ClaimedTask& task, std::vector<core::EntryDraft> entries, core::Transition next) {
        command(core::Record{task.row.ref, task.row.fence, std::move(entries), std::move(next)});
    }

    ManualClock clock;
    CountingRandom random;
    server::DirectPort port;
    server::Router router;
};

}  // namespace pawl::test
