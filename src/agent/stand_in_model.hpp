// A model endpoint of our own, over real HTTP: scripted, deterministic, for the demo without a key and for tests.
// It stands in for a model; whoever shows its words must say so.
#pragma once

#include "agent/chat.hpp"

#include <pawl/result.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pawl::agent {

/// What a scripted model says once: text, or tool calls.
struct ScriptedTurn {
    std::string text;
    std::vector<ToolCall> calls;  ///< an empty id becomes "call_TURN_NUMBER"
    std::string finish_reason{};  ///< empty: what the turn is, `stop` or `tool_calls`

    static ScriptedTurn says(std::string text) { return {std::move(text), {}, {}}; }
    static ScriptedTurn asks(std::string tool, std::string arguments) {
        return {{}, {{"", std::move(tool), std::move(arguments)}}, {}};
    }
};

/// Decides by the conversation alone, so that a repeated request gets the same answer. `turn` counts the assistant
/// messages so far: 0 for the first. Called on the endpoint's own thread.
using ModelScript = std::function<ScriptedTurn(int turn, const std::vector<Message>& messages)>;

/// The turns one after the other; the last one again for everything that comes later. Requires: not empty.
ModelScript script_of(std::vector<ScriptedTurn> turns);

/// How the endpoint misbehaves.
enum class ModelFault : std::uint8_t {
    rate_limited,  ///< 429 with Retry-After: 20
    broken,        ///< 500
    unauthorized,  ///< 401 that quotes the key it got
    quota,         ///< 429 insufficient_quota
    garbage,       ///< 200 with something that is not JSON
    cut,           ///< the connection closes in the middle of a good answer
    hang,          ///< no answer at all
    huge,          ///< 200 with 10 MB of text
    twin_ids,      ///< two tool calls with the same id
};

/// POST /v1/chat/completions on a free port of 127.0.0.1, in a thread of its own. A conversation in which a tool
/// call has no result, or a result no call, is refused with 400, as the real endpoints do.
class StandInModel {
public:
    explicit StandInModel(ModelScript script);
    ~StandInModel();
    StandInModel(const StandInModel&) = delete;
    StandInModel& operator=(const StandInModel&) = delete;

    /// Listens from here on. Errors: `refused` (no port, system error).
    Result<void> start();
    /// For OPENAI_BASE_URL: "http://127.0.0.1:PORT/v1". Requires: started.
    std::string base_url() const;

    /// The next `times` requests of that turn fail so. Any thread.
    void fault(int turn, ModelFault kind, int times = 1);

    struct Request {
        std::string key;         ///< its Idempotency-Key
        std::int64_t at_us = 0;  ///< wall clock
        int turn = 0;
        std::string body;
    };
    /// All requests so far, in order of arrival. Any thread.
    std::vector<Request> requests() const;

private:
    class Endpoint;
    std::unique_ptr<Endpoint> endpoint_;
};

}  // namespace pawl::agent
