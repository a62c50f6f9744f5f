// Against an agent that goes round in circles.
#pragma once

#include "agent/chat.hpp"
#include "core/sha256.hpp"
#include "runtime/execution.hpp"

#include <map>

namespace pawl::agent {

/// Counts calls that were made before with the same arguments and gave the same result. Anything new, even of another
/// tool, is progress and sets the counts back. A pure function of what it saw, so a replay counts the same.
class LoopGuard {
public:
    static constexpr int repeats_warned = 3;
    static constexpr int repeats_refused = 5;

    explicit LoopGuard(OnBreach on_breach) : on_breach_(on_breach) {}

    /// Adds its warning to the result that the model will read. Throws BudgetSpent when it is too much.
    void see(const ToolCall& call, Message& result) {
        std::string what;
        core::append_part(what, call.name);
        core::append_part(what, call.arguments);
        core::append_part(what, result.content.value_or(""));
        const auto [at, is_new] = counts_.emplace(core::sha256(what), 1);
        if (is_new) {
            for (auto& [hash, count] : counts_) count = 1;
            return;
        }
        const std::string times = std::to_string(++at->second) + " times";
        if (at->second >= repeats_refused)
            throw detail::BudgetSpent(
                "the agent called " + call.name + " " + times + " with the same arguments and the same result",
                on_breach_);
        if (at->second >= repeats_warned)
            result.content = result.content.value_or("") + "\n[you have made this same call " + times +
                             " with the same result: do something else or answer]";
    }

private:
    OnBreach on_breach_;
    std::map<core::Hash, int> counts_;
};

}  // namespace pawl::agent
