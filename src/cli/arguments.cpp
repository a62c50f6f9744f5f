#include "cli/arguments.hpp"

#include "core/shown.hpp"
#include "core/utf8.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <string_view>

namespace pawl::cli {
namespace {

// Requests are JSON, which carries UTF-8 only: what is stored must be what was given. A path may have any bytes; JSON
// may stand in a file, and is checked as such.
void take_utf8_only(CLI::Option* option, std::string_view what) {
    if (what == "FILE" || what == "FOLDER" || what == "JSON") return;
    option->check([](const std::string& text) {
        const bool valid = core::first_invalid_utf8(text) == text.size();
        return valid ? std::string() : core::shown(text) + " is not UTF-8; encode it as UTF-8; nothing was done";
    });
}

}  // namespace

Arguments& Arguments::required(const char* name, std::string& into, const char* help) {
    CLI::Option* option = app_->add_option(name, into, help)->required()->option_text(" ");
    take_utf8_only(option, name);
    return *this;
}

Arguments& Arguments::positional(const char* name, std::optional<std::string>& into, const char* help) {
    CLI::Option* option = app_->add_option_function<std::string>(
                                  name, [&into](const std::string& text) { into = text; }, help)
                              ->option_text(" ");
    take_utf8_only(option, name);
    return *this;
}

Arguments& Arguments::option(const char* names, const char* what, std::optional<std::string>& into, const char* help) {
    CLI::Option* option = app_->add_option_function<std::string>(
                                  names, [&into](const std::string& text) { into = text; }, help)
                              ->option_text(what);
    take_utf8_only(option, what);
    return *this;
}

Arguments& Arguments::option(const char* names, const char* what, std::optional<int>& into, const char* help) {
    app_->add_option_function<int>(
            names, [&into](const int& number) { into = number; }, help)
        ->option_text(what)
        ->check([help](const std::string& text) {
            int number = 0;
            const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (failed == std::errc() && end == text.data() + text.size()) return std::string();
            return core::shown(text, 40) + " is no whole number that fits; it means: " + help;
        });
    return *this;
}

Arguments& Arguments::list(const char* names, const char* what, std::vector<std::string>& into, const char* help) {
    CLI::Option* option = app_->add_option_function<std::vector<std::string>>(
                                  names, [&into](const std::vector<std::string>& texts) { into = texts; }, help)
                              ->option_text(what)
                              ->expected(1)
                              ->take_all()
                              ->allow_extra_args(false);
    take_utf8_only(option, what);
    return *this;
}

Arguments& Arguments::flag(const char* names, bool& into, const char* help) {
    app_->add_flag(names, into, help);
    return *this;
}

Arguments& Arguments::footer(const char* text) {
    app_->footer(text);
    return *this;
}

}  // namespace pawl::cli
