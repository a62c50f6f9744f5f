#include "runtime/zone_file.hpp"

#include "core/closest.hpp"
#include "core/shown.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

namespace pawl::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_bytes_max = 256 * 1024;  // the largest there are have 4 kB

bool is_utc(std::string_view name) {
    return name == "UTC" || name == "Etc/UTC" || name == "Z" || name == "GMT" || name == "Etc/GMT";
}

// For a misspelt name only: the folder has about 600 of them.
std::vector<std::string> installed(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    auto entry = fs::recursive_directory_iterator(folder, failed);
    for (const fs::recursive_directory_iterator end; !failed && entry != end; entry.increment(failed)) {
        const std::string name = entry->path().lexically_relative(folder).string();
        // The same zones a second time, and once more with leap seconds.
        if (name == "posix" || name == "right") {
            entry.disable_recursion_pending();
        } else if (entry->is_regular_file(failed) && core::check_zone_name(name)) {
            names.push_back(name);
        }
    }
    return names;
}

Error not_installed(std::string_view name, const std::string& folder) {
    std::string message = "time zone " + core::shown(name, 64) +
                          " is not installed on this machine (no file of that name in " + folder + ")";
    const auto names = installed(folder);
    if (names.empty()) {
        message += "; no zone is but UTC: install the package tzdata";
    } else if (const auto nearest = core::closest(name, names)) {
        message += "; did you mean " + *nearest + "?";
    } else {
        message += "; write for example Europe/Berlin, America/New_York or UTC";
    }
    return {Errc::not_found, message};
}

}  // namespace

Result<core::TimeZone> load_zone(std::string_view name, const std::string& folder) {
    if (is_utc(name)) return core::TimeZone();
    if (auto checked = core::check_zone_name(name); !checked) return checked.error();

    const fs::path path = fs::path(folder) / name;
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) return not_installed(name, folder);  // "Europe" is a folder
    std::ifstream file(path, std::ios::binary);
    std::string bytes(file_bytes_max + 1, '\0');
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.eof() && !file) {
        return Error{Errc::not_found, "time zone " + core::shown(name, 64) + ": " + path.string() + " cannot be read"};
    }
    bytes.resize(static_cast<std::size_t>(file.gcount()));
    return core::TimeZone::parse(name, bytes);
}

}  // namespace pawl::runtime
