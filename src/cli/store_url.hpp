// What names a store: `sqlite:FILE`, a bare path, or `postgres://...`.
#pragma once

#include <pawl/result.hpp>

#include <string>
#include <string_view>

namespace pawl::cli {

struct StoreUrl {
    enum class Kind { sqlite, postgres };
    Kind kind = Kind::sqlite;
    std::string place;  ///< the file's path; of PostgreSQL the whole URL, with its password
    std::string shown;  ///< for people: the path, or the URL without its password

    bool is_file() const { return kind == Kind::sqlite; }
};

/// A store on a file.
StoreUrl file_url(std::string path);
/// Errors: bad_input for an unknown scheme, an empty path, or what is no URL of PostgreSQL; none of them shows a
/// password.
Result<StoreUrl> parse_store_url(std::string_view url);

}  // namespace pawl::cli
