// What is wrong with a file that cannot be opened as a store.
#include "store/sqlite/sqlite_file.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <string_view>

namespace pawl::store {
namespace {

// A line of the check may be several: "*** in database main ***", then one for each page.
void add_lines(std::vector<std::string>& findings, std::string_view text) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!line.empty() && !line.starts_with("***")) findings.push_back("the file: " + std::string(line));
    }
}

}  // namespace

Result<std::vector<std::string>> inspect_sqlite_file(const std::string& path) {
    const Result<std::string> real_path = sqlite_real_path(path);
    if (!real_path) return real_path.error();
    Connection connection;
    std::vector<std::string> findings;
    if (auto opened = open_readonly(connection, *real_path); !opened && opened.error().code != Errc::store_corrupt)
        return opened.error();
    if (!connection.failure()) {
        Statement integrity(connection, "pragma integrity_check(100)");
        for (auto use = integrity.use(); use.next();)
            if (const std::string text = use.text(0); text != "ok") add_lines(findings, text);
    }
    if (connection.failure()) {
        if (connection.failure()->code != Errc::store_corrupt) return *connection.failure();
        add_lines(findings, sqlite3_errmsg(connection.handle()));
    } else if (const auto kind = file_kind(connection); !kind && findings.empty()) {
        findings.push_back(kind.error().message);
    }
    return findings;
}

}  // namespace pawl::store
