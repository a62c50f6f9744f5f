#include "cli/arguments.hpp"

#include <CLI/CLI.hpp>

namespace pawl::cli {

Arguments& Arguments::required(const char* name, std::string& into, const char* help) {
    app_->add_option(name, into, help)->required()->option_text(" ");
    return *this;
}

Arguments& Arguments::positional(const char* name, std::optional<std::string>& into, const char* help) {
    app_->add_option_function<std::string>(
            name, [&into](const std::string& text) { into = text; }, help)
        ->option_text(" ");
    return *this;
}

Arguments& Arguments::option(const char* names, const char* what, std::optional<std::string>& into, const char* help) {
    app_->add_option_function<std::string>(
            names, [&into](const std::string& text) { into = text; }, help)
        ->option_text(what);
    return *this;
}

Arguments& Arguments::option(const char* names, const char* what, std::optional<int>& into, const char* help) {
    app_->add_option_function<int>(
            names, [&into](const int& number) { into = number; }, help)
        ->option_text(what);
    return *this;
}

Arguments& Arguments::list(const char* names, const char* what, std::vector<std::string>& into, const char* help) {
    app_->add_option_function<std::vector<std::string>>(
            names, [&into](const std::vector<std::string>& texts) { into = texts; }, help)
        ->option_text(what)
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
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
