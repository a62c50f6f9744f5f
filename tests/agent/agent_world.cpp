#include "agent_world.hpp"

#include "core/assert.hpp"

#include <boost/json.hpp>

#include <chrono>
#include <cstdlib>
#include <optional>

namespace pawl::agent {

namespace {

class Delivery final : public core::HttpExchange {
public:
    Delivery(runtime::Loop& loop, runtime::TimerToken token) : loop_(loop), token_(token) {}
    ~Delivery() override { loop_.cancel(token_); }

private:
    runtime::Loop& loop_;
    runtime::TimerToken token_;
};

testing::SimOptions options_of(std::uint64_t seed) {
    testing::SimOptions options;
    options.seed = seed;
    options.make_net = [](runtime::Loop& loop) { return std::make_unique<BridgedNet>(loop); };
    return options;
}

}  // namespace

std::unique_ptr<core::HttpExchange> BridgedNet::send(
    core::HttpRequest request, std::function<void(std::variant<core::HttpResponse, core::NetError>)> done,
    std::function<void(std::string_view)>) {
    const core::Micros limit = request.timeout;
    request.timeout = request.idle = patience;
    std::optional<std::variant<core::HttpResponse, core::NetError>> answer;
    const auto exchange = client_.send(std::move(request), [&](auto a) { answer = std::move(a); });
    io_.restart();
    while (!answer) io_.run_one();
    if (auto* response = std::get_if<core::HttpResponse>(&*answer); response && rewrite) rewrite(*response);
    const auto* error = std::get_if<core::NetError>(&*answer);
    const bool silent = error && error->kind == core::NetError::Kind::timeout;
    const auto token =
        loop_.after(silent ? limit : latency,
                    [done = std::move(done), answer = std::move(*answer)]() mutable { done(std::move(answer)); });
    return std::make_unique<Delivery>(loop_, token);
}

AgentWorld::AgentWorld(ModelScript script, std::uint64_t seed) : model(std::move(script)), world(options_of(seed)) {
    PAWL_ASSERT(model.start());
    ::setenv("PAWL_TEST_MODEL_KEY", key, 1);
    agent.name = "disk-doctor";
    agent.model = "any";
    agent.instructions = "You are an autonomous DevOps engineer.";
    agent.endpoint = model.base_url();
    agent.api_key_env = "PAWL_TEST_MODEL_KEY";
    world.registry.add("agent").run = [this](Context& ctx, std::string input) {
        return agent_loop(ctx, std::move(input), &functions);
    };
}

AgentWorld::~AgentWorld() = default;

ToolDefinition& AgentWorld::tool(const std::string& name, const std::string& effect,
                                 std::function<std::string(const std::string&, const Attempt&)> f) {
    ToolDefinition definition;
    definition.name = name;
    definition.description = "for a test";
    definition.kind = "function";
    definition.effect = effect;
    definition.parameters.text = R"({"type":"object"})";
    agent.tools.push_back(std::move(definition));
    FunctionTool function;
    function.fits = [](const std::string&) {};
    function.call = [this, name, f = std::move(f)](const std::string& arguments, const Attempt& attempt) {
        deeds.calls[name]++;
        deeds.by_key[attempt.key()]++;
        deeds.arguments.push_back(arguments);
        return f(arguments, attempt);
    };
    functions[name] = std::move(function);
    return agent.tools.back();
}

core::TaskId AgentWorld::submit(const std::string& prompt, const SubmitOptions& options) {
    PAWL_ASSERT(check_definition(agent));
    core::Submit submit = world.submission("agent", to_json(Prompt(prompt)), options);
    submit.definition = encode(agent);
    id = std::get<core::Submitted>(world.call(std::move(submit)).value()).id;
    return id;
}

core::TaskRow AgentWorld::run(const std::string& prompt, const SubmitOptions& options) {
    if (!world.is_up()) world.start();
    return world.run_to_end(submit(prompt, options));
}

std::vector<std::string> AgentWorld::told() {
    std::vector<std::string> told;
    const auto requests = model.requests();
    if (requests.empty()) return told;
    const auto body = boost::json::parse(requests.back().body);
    for (const auto& message : body.at("messages").as_array())
        if (message.at("role").as_string() == "tool") told.emplace_back(message.at("content").as_string());
    return told;
}

std::vector<std::string> AgentWorld::attempt_errors() {
    std::vector<std::string> errors;
    for (const auto& entry : world.journal(id))
        if (entry.kind == core::EntryKind::step_attempt_failed)
            errors.push_back(core::decode_failure(entry.error).message);
    return errors;
}

int AgentWorld::count(core::EntryKind kind) {
    int n = 0;
    for (const auto& entry : world.journal(id)) n += entry.kind == kind ? 1 : 0;
    return n;
}

Answer AgentWorld::answer() { return from_json<Answer>(world.row(id).output); }

}  // namespace pawl::agent
