// The API over a store of several shards: each request goes to the shard that it concerns, or to all of them, whose
// answers become one. Every shard has a whole router of its own, which knows nothing of the others.
#pragma once

#include "server/message.hpp"
#include "server/parameters.hpp"

#include <pawl/result.hpp>

#include <optional>
#include <string>
#include <vector>

namespace pawl::server {

/// The way to the shards. May wait; one thread at a time.
class Shards {
public:
    virtual ~Shards() = default;
    virtual int count() const = 0;
    /// An Error: the shard is away, and nothing was asked of it.
    virtual Result<Response> ask(int shard, const Request& request) = 0;
    /// One request for each shard (nothing: not asked), all at once; the answers in the same order.
    virtual std::vector<std::optional<Result<Response>>> ask_all(std::vector<std::optional<Request>> requests) = 0;
    /// A random number below `end`.
    virtual int draw(int end) = 0;
};

/// With this header a listing's rows begin with their cursor, so that a page can end between any two.
constexpr std::string_view row_cursors = "Pawl-Row-Cursors";

/// Answers for the whole store, as the API of one would (docs/reference/api.md), with these differences. What is made
/// of several answers has a member `missing`, one object {shard, detail} for each shard that is away, when there are
/// any. Cursors hold a place for every shard.
///
/// Errors: store_unavailable, when what was asked for lies on a shard that is away: nothing happened; and of a listing
/// when all are.
Result<Response> call_shards(Shards& shards, const Request& request);

/// An answer to a question that says that the store cannot be reached is as good as none. For implementations of
/// Shards.
Result<Response> as_asked(const Request& request, Result<Response> answer);

// ---- the parts of it, one for each kind of answer ---------------------------------------------------------------

using ShardAnswers = std::vector<std::optional<Result<Response>>>;

Result<Response> submit_to_shard(Shards& shards, const Request& request);
Result<Response> submit_to_shards(Shards& shards, const Request& request);
Result<Response> list_shards(Shards& shards, const Request& request);
Result<Response> operate_on_shards(Shards& shards, const Request& request);
Result<Response> events_of_shards(Shards& shards, const Request& request);
Result<Response> queues_of_shards(Shards& shards, const Request& request);
Result<Response> set_queue_on_shards(Shards& shards, const Request& request);
Result<Response> doctor_of_shards(Shards& shards, const Request& request);

/// A refusal that one gave, which all would give, or an error when nobody answered; nothing when there is something to
/// put together.
std::optional<Result<Response>> first_refusal(const ShardAnswers& answers);
/// `shard 3: ...`.
Error of_shard(int shard, const Error& error);

class JsonText;
/// The member `missing`.
void append_missing(JsonText& json, const ShardAnswers& answers);

/// The places of a cursor over all shards; `start` for each where there is none. Nothing when it is not one of ours.
std::optional<std::vector<std::string>> split_places(std::string_view cursor, int shards, std::string_view start);
std::string join_places(const std::vector<std::string>& places);

}  // namespace pawl::server
