// One request on its way through a resource: the pieces that every handler needs.
#pragma once

#include "server/json_text.hpp"
#include "server/long_poll.hpp"
#include "server/message.hpp"
#include "server/port.hpp"
#include "server/problem.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace pawl::server {

/// Copied into callbacks: the port and the polls outlive every call of their router.
struct Call {
    Port* port = nullptr;
    LongPolls* polls = nullptr;
    std::shared_ptr<const Request> request;
    Respond respond;

    void answer(JsonText json, int status = 200, Headers headers = {}) const;
    void refuse(const Error& error) const { respond(problem(*request, error)); }
    /// All field errors as one bad_input. Requires: not empty.
    void refuse(std::vector<FieldError> errors) const;

    /// A body that is no JSON object: 400.
    void malformed(const Error& error) const;

    /// Sends one command; `then` gets its answer, an error is answered here.
    void send(core::Command command, std::function<void(const core::Answer&)> then) const;

    /// Reads off this thread where there is another, then answers.
    void read(std::function<Response(core::Reader&)> work) const;

    Response refusal(const Error& error) const { return problem(*request, error); }
};

Response json_response(JsonText json, int status = 200, Headers headers = {});

/// The task of that id, or of that unique prefix or suffix of one. Errors: not_found; ambiguous_id, which lists up
/// to five.
Result<core::TaskId> find_id(core::Reader& reader, std::string_view text);

/// Finds the row of that task, then goes on on the port's thread; a refusal is answered here.
void find_row(const Call& call, std::string task, std::function<void(const core::TaskRow&)> then);

}  // namespace pawl::server
