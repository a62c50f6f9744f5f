// One call of the model's endpoint: an asynchronous step of the agent loop.
#pragma once

#include "agent/chat.hpp"
#include "runtime/engine.hpp"

#include <pawl/async.hpp>
#include <pawl/step.hpp>

#include <memory>
#include <vector>

namespace pawl::agent {

/// Sends the conversation and gives the model's answer. Throws StepError: retryable or final by the rules of chat.hpp,
/// with the endpoint's Retry-After.
///
/// The request is built here, so that a replay builds none. URL and key are looked up at each call and never recorded;
/// where the endpoint quotes the key, it is masked before anything else sees the text. Requires: engine->net().
Async<ChatAnswer> call_model(runtime::Engine* engine, std::shared_ptr<const AgentDefinition> agent,
                             std::shared_ptr<const std::vector<Message>> messages, const Attempt& attempt);

/// The key of the agent's endpoint, as the environment has it now; empty when there is none.
std::string api_key(const AgentDefinition& agent);

}  // namespace pawl::agent
