// The client side of another process: each call goes over the socket of the process that holds the file, or opens the
// file itself when nobody does.
#pragma once

#include "cli/connection.hpp"

#include <pawl/client.hpp>

namespace pawl::cli {

/// A connection per call: threads share nothing but the path.
class FileBackend final : public detail::Backend {
public:
    explicit FileBackend(StoreUrl store) : store_(std::move(store)) {}

    Result<Submitted> submit(std::string_view type, std::string input, const SubmitOptions& options) override;
    std::vector<Result<Submitted>> submit_many(std::string_view type, std::vector<std::string> inputs,
                                               const SubmitOptions& options) override;
    Result<std::string> wait(const std::string& id, std::optional<Duration> limit) override;
    Result<TaskStatus> status(const std::string& id) override;
    std::string why(const std::string& id) override;
    Result<void> operate(const std::string& id, detail::TaskVerb verb) override;
    Result<void> resolve(const std::string& id, std::string_view step, std::string_view outcome,
                         std::string result) override;
    Result<void> signal(const std::string& id, std::string_view name, std::string value,
                        std::string_view request_id) override;
    Result<void> answer(const std::string& id, bool approved, std::string_view step, std::string_view comment,
                        std::string_view request_id) override;

private:
    /// The answer, unless it is a refusal.
    Result<server::Response> ask(Access access, const server::Request& request) const;
    Result<void> change(const std::string& id, std::string_view verb, std::string body,
                        bool has_request_id = false) const;

    StoreUrl store_;
};

}  // namespace pawl::cli
