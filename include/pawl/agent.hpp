/// Agents whose tools are C++ functions.
///
///     std::string clean_logs(CleanLogs in, const pawl::Attempt& attempt);
///
///     pawl::Agent disk_doctor() {
///         return pawl::Agent(disk_doctor_type)
///             .model("gpt-5-mini")
///             .instructions("You are an autonomous DevOps engineer.")
///             .tool(pawl::Tool("clean_logs", "Delete old logs to free space", clean_logs).timeout(5min))
///             .limits(pawl::Limits().turns(10).tool_calls(20))
///             .deadline(5min);
///     }
///     program.agent(disk_doctor());
///
/// An agent is a task type like any other: its input is a pawl::Prompt, its output a pawl::Answer. Each model call and
/// each tool call is a journaled step: after a crash the recorded ones are neither paid for nor done again. The agent's
/// data (model, instructions, tools' schemas, limits) is recorded with each task at its submit; a tool's code is found
/// by its name in the program that runs the task.
#pragma once

#include <pawl/json.hpp>
#include <pawl/result.hpp>
#include <pawl/retry.hpp>
#include <pawl/step.hpp>
#include <pawl/task.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace pawl {

/// Whether the model's calls of a tool are carried out.
enum class ToolPolicy : std::uint8_t {
    allow,
    deny,  ///< the model is told so; nothing runs
};

namespace detail {

/// For tools without arguments.
struct NoArguments {};
BOOST_DESCRIBE_STRUCT(NoArguments, (), ())

// What a callable takes and gives: a function, or an object with one operator().
template <class F>
struct signature : signature<decltype(&F::operator())> {};
template <class R, class... A>
struct signature<R (*)(A...)> {
    using result = R;
    using arguments = std::tuple<A...>;
};
template <class R, class... A>
struct signature<R (*)(A...) noexcept> : signature<R (*)(A...)> {};
template <class R, class C, class... A>
struct signature<R (C::*)(A...) const> : signature<R (*)(A...)> {};
template <class R, class C, class... A>
struct signature<R (C::*)(A...)> : signature<R (*)(A...)> {};
template <class R, class C, class... A>
struct signature<R (C::*)(A...) const noexcept> : signature<R (*)(A...)> {};

template <class Arguments>
struct tool_input {
    static_assert(dependent_false<Arguments>,
                  "pawl: a tool's function takes its arguments as one struct, then perhaps a const pawl::Attempt&");
};
template <>
struct tool_input<std::tuple<>> {
    using type = NoArguments;
};
template <>
struct tool_input<std::tuple<const Attempt&>> {
    using type = NoArguments;
};
template <class In>
struct tool_input<std::tuple<In>> {
    using type = std::remove_cvref_t<In>;
};
template <class In>
struct tool_input<std::tuple<In, const Attempt&>> {
    using type = std::remove_cvref_t<In>;
};
template <class F>
using tool_input_of = typename tool_input<typename signature<F>::arguments>::type;

template <class F>
decltype(auto) call_with_json(F& f, const std::string& arguments, const Attempt& attempt) {
    using In = tool_input_of<F>;
    if constexpr (std::is_invocable_v<F&, const Attempt&> && std::is_same_v<In, NoArguments>) {
        return f(attempt);
    } else if constexpr (std::is_same_v<In, NoArguments>) {
        return f();
    } else {
        In in = from_json<In>(arguments);
        if constexpr (std::is_invocable_v<F&, In, const Attempt&>) return f(std::move(in), attempt);
        else return f(std::move(in));
    }
}

// What the model reads: text as it is, everything else as JSON.
template <class T>
std::string tool_text(T&& value) {
    using V = std::remove_cvref_t<T>;
    if constexpr (is_result<V>::value) {
        if (!value) throw_step_error(value.error());
        if constexpr (std::is_void_v<typename V::value_type>) return "done";
        else return tool_text(*std::forward<T>(value));
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        return std::string(std::string_view(value));
    } else {
        return to_json<V>(value);
    }
}

struct ToolParts {
    using Call = std::function<std::string(const std::string& arguments, const Attempt& attempt)>;
    using Check = std::function<std::optional<std::string>(const std::string& arguments, const Attempt& attempt)>;

    std::string name, description, schema;
    Effect effect = Effect::once;
    ToolPolicy policy = ToolPolicy::allow;
    Duration timeout{60'000};
    std::optional<OnUnknown::Policy> on_unknown;
    std::optional<Retry> retry;
    std::function<void(const std::string& arguments)> fits;
    Call call;
    Check check;
};

}  // namespace detail

/// A function that the model may call.
///
/// It takes its arguments as one described struct, or none, and may take a last `const pawl::Attempt&`. The JSON Schema
/// that the model sees comes from the struct and its `notes`; arguments that do not fit are answered to the model with
/// their place (`/keep_days: expected integer`) and never reach the function. What it returns is what the model reads:
/// text as it is, any other storable value as JSON. It fails as a step does (retry.hpp); the model is told.
///
/// It runs in the blocking pool, perhaps beside others: calls of one turn run at once when none of them is `once`.
class Tool {
public:
    /// `name`: 1 to 64 letters, digits, `_` or `-`. `description`: the model chooses by it.
    template <class F>
    Tool(std::string_view name, std::string_view description, F f) {
        using In = detail::tool_input_of<F>;
        static_assert(detail::Described<In> || detail::HasSchema<In>,
                      "pawl: a tool takes a struct described with BOOST_DESCRIBE_STRUCT (or a type with schema_t)");
        parts_.name = name;
        parts_.description = description;
        parts_.schema = schema_of<In>();
        parts_.fits = [](const std::string& arguments) { (void)from_json<In>(arguments); };
        parts_.call = [f](const std::string& arguments, const Attempt& attempt) mutable -> std::string {
            using R = decltype(detail::call_with_json(f, arguments, attempt));
            if constexpr (std::is_void_v<R>) {
                detail::call_with_json(f, arguments, attempt);
                return "done";
            } else {
                return detail::tool_text(detail::call_with_json(f, arguments, attempt));
            }
        };
    }

    // clang-format off
    /// Default: once. It is never repeated by itself, its intent is flushed before it begins.
    Tool& effect(Effect e) { parts_.effect = e; return *this; }
    Tool& policy(ToolPolicy p) { parts_.policy = p; return *this; }
    /// Limit of each attempt; default 60 s. For a `once` tool what passes it is unknown.
    Tool& timeout(Duration d) { parts_.timeout = d; return *this; }
    /// Default: 3 attempts for `read`, else 2.
    Tool& retry(const Retry& r) { parts_.retry = r; return *this; }
    // clang-format on

    /// Of a `once` tool whose outcome is not known. Default: verify with a check(), else report: the model decides.
    Tool& on_unknown(const OnUnknown& u) {
        parts_.on_unknown = u.policy;
        if (!u.check) return *this;
        parts_.check = [f = u.check, has_result = u.check_gives_result](
                           const std::string&, const Attempt& attempt) -> std::optional<std::string> {
            const auto found = (*f)(attempt);
            if (!found) return std::nullopt;
            if (!has_result) return "done";
            return found->starts_with('"') ? from_json<std::string>(*found) : *found;
        };
        return *this;
    }

    /// `f` looks whether the effect of a call with these arguments is there. It takes what the tool's function takes,
    /// returns bool or the std::optional of a result, and throws pawl::unknown_outcome when it cannot tell.
    template <class F>
    Tool& check(F f) {
        parts_.check = [f](const std::string& arguments, const Attempt& attempt) mutable -> std::optional<std::string> {
            const auto found = detail::call_with_json(f, arguments, attempt);
            if (!found) return std::nullopt;
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(found)>, bool>) return "done";
            else return detail::tool_text(*found);
        };
        return *this;
    }

    const detail::ToolParts& parts() const { return parts_; }

private:
    detail::ToolParts parts_;
};

/// What one task of an agent may spend. Checked before each call, counted over crashes, kept by a retry of the task.
class Limits {
public:
    // clang-format off
    /// Model calls with what follows from them, 1 to 1,000; default 20.
    Limits& turns(int n) { turns_ = n; return *this; }
    Limits& model_calls(int n) { model_calls_ = n; return *this; }
    /// Calls of one turn that would pass it are not begun.
    Limits& tool_calls(int n) { tool_calls_ = n; return *this; }
    Limits& tokens(std::int64_t n) { tokens_ = n; return *this; }
    /// Needs the model's price: Agent::price, or the list price of a model that Pawl knows.
    Limits& cost_usd(double dollars) { cost_usd_ = dollars; return *this; }
    /// Time spent running: waits do not count. Default 1 h.
    Limits& active_time(Duration d) { active_time_ = d; return *this; }
    /// Default: pause. Either way the task's reason is `budget`, and nothing that was recorded is lost.
    Limits& on_breach(OnBreach b) { on_breach_ = b; return *this; }
    // clang-format on

    int turns() const { return turns_; }
    std::optional<int> model_calls() const { return model_calls_; }
    std::optional<int> tool_calls() const { return tool_calls_; }
    std::optional<std::int64_t> tokens() const { return tokens_; }
    std::optional<double> cost_usd() const { return cost_usd_; }
    Duration active_time() const { return active_time_; }
    OnBreach on_breach() const { return on_breach_; }

private:
    int turns_ = 20;
    std::optional<int> model_calls_, tool_calls_;
    std::optional<std::int64_t> tokens_;
    std::optional<double> cost_usd_;
    Duration active_time_ = std::chrono::hours(1);
    OnBreach on_breach_ = OnBreach::pause;
};

/// Dollars for a million tokens.
class Price {
public:
    // clang-format off
    Price& input(double dollars) { input_ = dollars; return *this; }
    /// Input that the endpoint had in its cache; default: as input.
    Price& cached(double dollars) { cached_ = dollars; return *this; }
    Price& output(double dollars) { output_ = dollars; return *this; }
    // clang-format on

    double input() const { return input_; }
    double cached() const { return cached_.value_or(input_); }
    double output() const { return output_; }

private:
    double input_ = 0, output_ = 0;
    std::optional<double> cached_;
};

namespace detail {

struct AgentParts {
    std::string name, model, endpoint, api_key_env = "OPENAI_API_KEY", instructions;
    bool parallel_tool_calls = true;
    Duration model_timeout{300'000};
    std::optional<Duration> deadline;
    std::optional<Price> price;
    Limits limits;
    std::vector<Tool> tools;
};

}  // namespace detail

/// A model with instructions, tools and limits: a task type, once Program::agent has it.
class Agent {
public:
    explicit Agent(AgentType type) { parts_.name = type.name; }

    // clang-format off
    /// As the endpoint calls it. Required.
    Agent& model(std::string_view name) { parts_.model = name; return *this; }
    /// Base URL of a Chat Completions endpoint; default: OPENAI_BASE_URL, looked up at each call.
    Agent& endpoint(std::string_view url) { parts_.endpoint = url; return *this; }
    /// Name of the variable that holds the key, never the key; default OPENAI_API_KEY.
    Agent& api_key_env(std::string_view name) { parts_.api_key_env = name; return *this; }
    /// The system message.
    Agent& instructions(std::string_view text) { parts_.instructions = text; return *this; }
    Agent& tool(const Tool& t) { parts_.tools.push_back(t); return *this; }
    /// Whether the model may ask for several calls in one turn; default true.
    Agent& parallel_tool_calls(bool on) { parts_.parallel_tool_calls = on; return *this; }
    /// Limit of each model call; default 300 s.
    Agent& model_timeout(Duration d) { parts_.model_timeout = d; return *this; }
    Agent& price(const Price& p) { parts_.price = p; return *this; }
    Agent& limits(const Limits& l) { parts_.limits = l; return *this; }
    /// Limit of each task, from its submit.
    Agent& deadline(Duration d) { parts_.deadline = d; return *this; }
    // clang-format on

    const detail::AgentParts& parts() const { return parts_; }

private:
    detail::AgentParts parts_;
};

}  // namespace pawl
