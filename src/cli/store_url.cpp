#include "cli/store_url.hpp"

namespace pawl::cli {

Result<std::string> sqlite_file(std::string_view url) {
    constexpr std::string_view scheme = "sqlite:";
    std::string_view path = url;
    if (path.starts_with(scheme)) path.remove_prefix(scheme.size());
    else if (path.find("://") != std::string_view::npos)
        return Error{Errc::bad_input, "store '" + std::string(url.substr(0, url.find("://"))) +
                                          "://...' is of a kind that this build does not have; use sqlite:FILE"};
    if (path.empty()) return Error{Errc::bad_input, "the store's file name is empty; use sqlite:FILE"};
    return std::string(path);
}

}  // namespace pawl::cli
