// What names a store: `sqlite:FILE`, a bare path, `postgres://...`, or several of the last, its shards.
#pragma once

#include "core/shards.hpp"

#include <pawl/result.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::cli {

class ShardSet;

struct StoreUrl {
    enum class Kind { sqlite, postgres };
    Kind kind = Kind::sqlite;
    std::string
        place;  ///< the file's path; of PostgreSQL the whole URL, with its password; empty when there are shards
    std::string shown;                     ///< for people: the path, or the URL without its password
    core::ShardPlace shard{};              ///< of one of several: where it stands
    std::shared_ptr<ShardSet> shards{};    ///< all of them, where there are several
    std::vector<std::string> all_shown{};  ///< each of them for people; of one store itself alone

    bool is_file() const { return kind == Kind::sqlite; }
    bool is_sharded() const { return shards != nullptr; }
};

/// A store on a file.
StoreUrl file_url(std::string path);
/// One store, or several URLs of PostgreSQL with white space between them.
/// Errors: bad_input for an unknown scheme, an empty path, what is no URL of PostgreSQL, or shards that are files; none
/// of them shows a password.
Result<StoreUrl> parse_store_url(std::string_view url);
/// All of them together. Requires: at least one.
Result<StoreUrl> parse_store_urls(const std::vector<std::string>& urls);

}  // namespace pawl::cli
