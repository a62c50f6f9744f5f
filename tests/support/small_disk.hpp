// A file system that can be full, on a folder, and seen by this process and its children alone.
#pragma once

#include <string>

namespace pawl::test {

class SmallDisk {
public:
    /// `size` as mount takes it: "8m". Needs the right to mount; see is_mounted().
    SmallDisk(std::string folder, const std::string& size);
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    bool is_mounted() const { return is_mounted_; }
    const std::string& path() const { return folder_; }
    /// To the last byte.
    void fill() const;
    void free() const;

private:
    std::string folder_;
    bool is_mounted_ = false;
};

}  // namespace pawl::test
