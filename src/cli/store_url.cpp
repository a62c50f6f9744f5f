#include "cli/store_url.hpp"

#include "cli/shard_set.hpp"
#include "store/postgres/postgres_url.hpp"

namespace pawl::cli {
namespace {

constexpr std::string_view white = " \t\r\n";

// A path may have white space in it, a URL has none.
std::vector<std::string> split(std::string_view text) {
    const std::size_t start = std::min(text.find_first_not_of(white), text.size());
    if (!store::is_postgres_url(text.substr(start))) return {std::string(text)};
    std::vector<std::string> urls;
    for (std::size_t at = start; at < text.size();) {
        const std::size_t end = std::min(text.find_first_of(white, at), text.size());
        urls.emplace_back(text.substr(at, end - at));
        at = std::min(text.find_first_not_of(white, end), text.size());
    }
    return urls;
}

Result<StoreUrl> parse_one(std::string_view url) {
    if (store::is_postgres_url(url)) {
        auto parsed = store::parse_postgres_url(url);
        if (!parsed) return parsed.error();
        StoreUrl store{StoreUrl::Kind::postgres, std::string(url), parsed->shown};
        store.all_shown = {store.shown};
        return store;
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

}  // namespace

StoreUrl file_url(std::string path) {
    StoreUrl store{StoreUrl::Kind::sqlite, path, path};
    store.all_shown = {std::move(path)};
    return store;
}

Result<StoreUrl> parse_store_url(std::string_view url) { return parse_store_urls({std::string(url)}); }

Result<StoreUrl> parse_store_urls(const std::vector<std::string>& urls) {
    std::vector<StoreUrl> stores;
    for (const std::string& given : urls)
        for (const std::string& url : split(given)) {
            auto store = parse_one(url);
            if (!store) return store.error();
            stores.push_back(std::move(*store));
        }
    if (stores.size() == 1) return std::move(stores.front());
    StoreUrl all{StoreUrl::Kind::postgres, {}, std::to_string(stores.size()) + " shards:"};
    for (const StoreUrl& store : stores) {
        if (store.is_file())
            return Error{Errc::bad_input, "store '" + store.shown +
                                              "' is a file: several stores are the shards of one, and all of them must "
                                              "be postgres://..."};
        all.shown += (all.all_shown.empty() ? " " : ", ") + store.shown;
        all.all_shown.push_back(store.shown);
    }
    if (stores.size() > core::shards_max)
        return Error{Errc::bad_input, std::to_string(stores.size()) + " shards were named; a store has at most 256"};
    all.shards = std::make_shared<ShardSet>(std::move(stores));
    return all;
}

}  // namespace pawl::cli
