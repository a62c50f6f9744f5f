#include "cli/store_url.hpp"

#include "store/postgres/postgres_url.hpp"

namespace pawl::cli {

StoreUrl file_url(std::string path) { return {StoreUrl::Kind::sqlite, path, path}; }

Result<StoreUrl> parse_store_url(std::string_view url) {
    if (store::is_postgres_url(url)) {
        auto parsed = store::parse_postgres_url(url);
        if (!parsed) return parsed.error();
        return StoreUrl{StoreUrl::Kind::postgres, std::string(url), parsed->shown};
    }
    constexpr std::string_view scheme = "sqlite:";
    std::string_view path = url;
    if (path.starts_with(scheme)) path.remove_prefix(scheme.size());
    else if (path.find("://") != std::string_view::npos)
        return Error{Errc::bad_input,
                     "store '" + std::string(url.substr(0, url.find("://"))) +
                         "://...' is of a kind that does not exist; use sqlite:FILE or postgres://..."};
    if (path.empty()) return Error{Errc::bad_input, "the store's file name is empty; use sqlite:FILE"};
    return file_url(std::string(path));
}

}  // namespace pawl::cli
