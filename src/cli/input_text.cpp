#include "cli/input_text.hpp"

#include "core/shown.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace pawl::cli {
namespace {

Result<std::string> read_all(std::FILE* file, const std::string& name, std::size_t bytes_max) {
    std::string text;
    char buffer[64 * 1024];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file)) {
        text.append(buffer, n);
        if (text.size() <= bytes_max) continue;
        return Error{Errc::too_large, name + " is longer than " + std::to_string(bytes_max) +
                                          " bytes; store large data elsewhere and "
                                          "give its address"};
    }
    if (std::ferror(file)) return Error{Errc::bad_input, "reading " + name + ": " + std::strerror(errno)};
    return text;
}

}  // namespace

Result<std::string> read_input(const std::string& argument, std::size_t bytes_max) {
    if (argument == "-") return read_all(stdin, "the input", bytes_max);
    if (argument.empty() || argument[0] != '@') return argument;

    const std::string path = argument.substr(1);
    const std::string shown = "the file " + core::shown(path, 200);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
    if (!file) return Error{Errc::not_found, shown + " cannot be read: " + std::strerror(errno)};
    return read_all(file.get(), shown, bytes_max);
}

}  // namespace pawl::cli
