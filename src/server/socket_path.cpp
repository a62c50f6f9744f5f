#include "server/socket_path.hpp"

#include "core/sha256.hpp"
#include "core/shown.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace pawl::server {
namespace {

namespace fs = std::filesystem;

// One byte is the terminating NUL.
constexpr std::size_t path_bytes_max = sizeof(sockaddr_un{}.sun_path) - 1;

// /tmp is everybody's: a folder of that name may have been made by somebody else, who could then listen in our place.
Result<std::string> private_folder() {
    const std::string folder = "/tmp/pawl-" + std::to_string(::getuid());
    ::mkdir(folder.c_str(), 0700);
    struct stat found {};
    const bool ours = ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::getuid() &&
                      (found.st_mode & 077) == 0;
    if (ours) return folder;
    return Error{Errc::refused, "the folder " + folder +
                                    " is not ours alone; set XDG_RUNTIME_DIR, or give the "
                                    "database file a shorter path"};
}

Result<std::string> runtime_folder() {
    const char* given = std::getenv("XDG_RUNTIME_DIR");
    constexpr std::size_t name_bytes = 32;
    if (given && given[0] == '/' && std::string_view(given).size() + name_bytes < path_bytes_max)
        return std::string(given);
    return private_folder();
}

std::string hash_name(const std::string& path) {
    return "pawl-" + core::to_hex(core::sha256(path)).substr(0, 16) + ".sock";
}

}  // namespace

Result<std::string> socket_path(const std::string& file) {
    std::error_code failed;
    const fs::path real = fs::weakly_canonical(fs::absolute(file, failed), failed);
    const bool has_folder = !failed && fs::is_directory(real.parent_path(), failed);
    if (failed == std::errc::permission_denied)
        return Error{Errc::store_readonly,
                     core::shown(file, 200) + ": " + failed.message() + "; nothing was read or changed"};
    if (!has_folder) {
        return Error{Errc::not_found, "the folder of " + core::shown(file, 200) + " does not exist; make it first"};
    }
    const std::string beside = real.string() + ".sock";
    if (beside.size() <= path_bytes_max) return beside;
    const auto folder = runtime_folder();
    if (!folder) return folder.error();
    return *folder + "/" + hash_name(real.string());
}

}  // namespace pawl::server
