// An agent in the simulated world, whose model is the stand-in endpoint over real HTTP: time is virtual, bytes are not.
#pragma once

#include "agent/agent_loop.hpp"
#include "agent/stand_in_model.hpp"
#include "net/http_client.hpp"
#include "support/sim_world.hpp"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace pawl::agent {

/// Carries each request out at once, in real time, and brings the answer in virtual time: after `latency`, or after
/// the request's own time limit when the peer is silent for `patience`.
class BridgedNet final : public core::Net {
public:
    explicit BridgedNet(runtime::Loop& loop) : loop_(loop) {}
    std::unique_ptr<core::HttpExchange> send(core::HttpRequest request,
                                             std::function<void(std::variant<core::HttpResponse, core::NetError>)> done,
                                             std::function<void(std::string_view)> chunk) override;

    static constexpr core::Micros latency{50'000};
    static inline core::Micros patience{10'000'000};
    /// What an endpoint that is not ours would have answered; empty = nothing is changed.
    static inline std::function<void(core::HttpResponse&)> rewrite;

private:
    runtime::Loop& loop_;
    boost::asio::io_context io_{1};
    net::HttpClient client_{io_};
};

/// What tools did, over all processes of the world.
struct Deeds {
    std::map<std::string, int> calls;   ///< by tool name
    std::map<std::string, int> by_key;  ///< by the attempt's key
    std::vector<std::string> arguments;
};

class AgentWorld {
public:
    explicit AgentWorld(ModelScript script, std::uint64_t seed = 1);
    ~AgentWorld();

    /// A C++ tool that counts its calls and then does `f`.
    ToolDefinition& tool(const std::string& name, const std::string& effect,
                         std::function<std::string(const std::string&, const Attempt&)> f);
    core::TaskId submit(const std::string& prompt = "I'm out of disk space. Fix it.",
                        const SubmitOptions& options = {});
    /// Starts a process when there is none, submits, and runs until the task is final or paused.
    core::TaskRow run(const std::string& prompt = "I'm out of disk space. Fix it.", const SubmitOptions& options = {});

    /// The content of the tool messages that the model got in its last request, in order.
    std::vector<std::string> told();
    /// Failed attempts in the journal, as text.
    std::vector<std::string> attempt_errors();
    int count(core::EntryKind kind);
    Answer answer();

    static constexpr const char* key = "sk-live-0123456789abcdef";

    StandInModel model;
    testing::SimWorld world;
    AgentDefinition agent;
    FunctionTools functions;
    Deeds deeds;
    core::TaskId id;
};

}  // namespace pawl::agent
