// One socket for every name of a file, also when its path is too long for one.
#include "server/socket_path.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace pawl::server {
namespace {

namespace fs = std::filesystem;

class SocketPathTest : public testing::Test {
protected:
    SocketPathTest() {
        std::string pattern = (fs::temp_directory_path() / "pawl_socket_XXXXXX").string();
        folder = ::mkdtemp(pattern.data());
        ::setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
    }
    ~SocketPathTest() override {
        ::unsetenv("XDG_RUNTIME_DIR");
        fs::remove_all(folder);
    }
    fs::path folder;
};

TEST_F(SocketPathTest, LiesBesideTheRealPath) {
    std::ofstream(folder / "pawl.db").put('x');
    fs::create_symlink(folder / "pawl.db", folder / "link.db");
    const std::string real = fs::canonical(folder / "pawl.db").string() + ".sock";
    EXPECT_EQ(socket_path((folder / "pawl.db").string()).value(), real);
    EXPECT_EQ(socket_path((folder / "link.db").string()).value(), real);
    EXPECT_EQ(socket_path((folder / "." / "pawl.db").string()).value(), real);
}

TEST_F(SocketPathTest, AFileThatIsNotThereYetHasOne) {
    EXPECT_EQ(socket_path((folder / "new.db").string()).value(), fs::canonical(folder).string() + "/new.db.sock");
}

TEST_F(SocketPathTest, ALongPathGoesUnderTheRuntimeFolderByHash) {
    const fs::path deep = folder / std::string(90, 'd');
    fs::create_directory(deep);
    const auto one = socket_path((deep / "pawl.db").string()).value();
    const auto other = socket_path((deep / "other.db").string()).value();
    EXPECT_EQ(fs::path(one).parent_path(), folder);
    EXPECT_LE(one.size(), 107u);
    EXPECT_NE(one, other);
    EXPECT_EQ(socket_path((deep / "pawl.db").string()).value(), one);
}

TEST_F(SocketPathTest, AFolderThatIsMissingIsNotFound) {
    const auto path = socket_path((folder / "none" / "pawl.db").string());
    ASSERT_TRUE(path.has_error());
    EXPECT_EQ(path.error().code, Errc::not_found);
}

}  // namespace
}  // namespace pawl::server
