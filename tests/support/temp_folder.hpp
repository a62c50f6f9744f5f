// A folder of its own for one test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace pawl::test {

class TempFolder {
public:
    /// On a disk as a user has one.
    TempFolder() : TempFolder(std::filesystem::temp_directory_path()) {}
    /// Where a flush costs nothing, if there is such a place.
    static TempFolder in_memory() {
        const std::filesystem::path shared = "/dev/shm";
        std::error_code ignored;
        return TempFolder(std::filesystem::exists(shared, ignored) ? shared : std::filesystem::temp_directory_path());
    }
    ~TempFolder() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const { return path_; }

private:
    explicit TempFolder(const std::filesystem::path& parent) {
        std::string name = (parent / "pawl_test_XXXXXX").string();
        path_ = ::mkdtemp(name.data()) ? name : std::string();
    }

    std::string path_;
};

}  // namespace pawl::test
