#include <pawl/result.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <map>

using namespace pawl;

namespace {

// Sections of docs/reference/errors.md: heading -> text below it.
std::map<std::string, std::string> sections() {
    std::ifstream page(PAWL_SOURCE_DIR "/docs/reference/errors.md");
    std::map<std::string, std::string> found;
    std::string line, heading;
    while (std::getline(page, line)) {
        if (line.starts_with("#")) {
            const bool is_code = line.starts_with("### `") && line.ends_with("`");
            heading = is_code ? line.substr(5, line.size() - 6) : "";
        } else if (!heading.empty()) {
            found[heading] += line + " ";
        }
    }
    return found;
}

}  // namespace

TEST(ErrorsPage, EveryCodeHasASectionThatSaysSomething) {
    const auto page = sections();
    for (int i = 0; i <= static_cast<int>(Errc::stopping); ++i) {
        const std::string name(to_string(static_cast<Errc>(i)));
        ASSERT_TRUE(page.contains(name)) << "docs/reference/errors.md has no section ### `" << name << "`";
        EXPECT_GT(page.at(name).size(), 60u) << name;
    }
    EXPECT_EQ(page.size(), static_cast<std::size_t>(Errc::stopping) + 1) << "a section of a code that does not exist";
}
