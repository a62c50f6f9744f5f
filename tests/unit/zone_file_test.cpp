#include "runtime/zone_file.hpp"

#include "support/temp_folder.hpp"
#include "support/zone_bytes.hpp"

#include <filesystem>

using namespace pawl;
using namespace pawl::core;
using namespace pawl::runtime;
using namespace pawl::test;
using namespace std::chrono_literals;

namespace {

const std::string tested_zones = std::string(PAWL_SOURCE_DIR) + "/tests/unit/zoneinfo";

Error refusal(std::string_view name, const std::string& folder = tested_zones) {
    const auto loaded = load_zone(name, folder);
    EXPECT_FALSE(loaded) << name;
    return loaded ? Error{} : loaded.error();
}

}  // namespace

TEST(ZoneFile, AZoneIsReadByItsName) {
    const auto berlin = load_zone("Europe/Berlin", tested_zones);
    ASSERT_TRUE(berlin) << berlin.error().message;
    EXPECT_EQ(berlin->name(), "Europe/Berlin");
    EXPECT_EQ(berlin->offset_at(std::chrono::sys_days{std::chrono::July / 1 / 2026}), 2h);
}

TEST(ZoneFile, UtcNeedsNoFile) {
    const TempFolder empty;
    EXPECT_TRUE(load_zone("UTC", empty.path()));
    EXPECT_TRUE(load_zone("Etc/UTC", empty.path() + "/none"));
}

TEST(ZoneFile, AZoneThatIsNotInstalledIsNamedWithTheNearest) {
    const Error error = refusal("Europe/Berlim");
    EXPECT_EQ(error.code, Errc::not_found);
    EXPECT_NE(error.message.find("\"Europe/Berlim\" is not installed"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("did you mean Europe/Berlin?"), std::string::npos) << error.message;
    EXPECT_EQ(refusal("Europe").code, Errc::not_found) << "a folder is no zone";

    const TempFolder empty;
    EXPECT_NE(refusal("Europe/Berlin", empty.path()).message.find("install the package tzdata"), std::string::npos);
    EXPECT_NE(refusal("Europe/Berlin", empty.path() + "/none").message.find("install the package tzdata"),
              std::string::npos);
}

TEST(ZoneFile, NoNameLeadsOutOfTheFolder) {
    for (const std::string_view name : {"../zoneinfo/Europe/Berlin", "/etc/passwd", "Europe/../Europe/Berlin", ""}) {
        EXPECT_EQ(refusal(name).code, Errc::bad_input) << name;
    }
}

TEST(ZoneFile, AFileThatIsNoZoneIsRefused) {
    const TempFolder folder;
    std::ofstream(folder.path() + "/Text") << "not a zone";
    std::ofstream(folder.path() + "/Empty");
    std::ofstream(folder.path() + "/Large") << std::string(2'000'000, 'x');
    for (const char* name : {"Text", "Empty", "Large"}) {
        const Error error = refusal(name, folder.path());
        EXPECT_EQ(error.code, Errc::bad_input) << name;
        EXPECT_NE(error.message.find("its file is damaged"), std::string::npos) << error.message;
    }
}

TEST(ZoneFile, EveryInstalledZoneIsRead) {
    const std::filesystem::path folder = zone_folder;
    if (!std::filesystem::exists(folder / "Europe")) GTEST_SKIP() << "tzdata is not installed";
    int read = 0;
    for (const char* part : {"Africa", "America", "Asia", "Atlantic", "Australia", "Etc", "Europe", "Pacific"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / part)) {
            if (!entry.is_regular_file()) continue;
            const std::string name = entry.path().lexically_relative(folder).string();
            const auto loaded = load_zone(name);
            ASSERT_TRUE(loaded) << loaded.error().message;
            ++read;
        }
    }
    EXPECT_GT(read, 300);
}
