#include "support/small_disk.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>

namespace pawl::test {

SmallDisk::SmallDisk(std::string folder, const std::string& size) : folder_(std::move(folder)) {
    // In a mount namespace of its own, so that nobody else sees it.
    is_mounted_ = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                  ::mount("pawl_test", folder_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
}

SmallDisk::~SmallDisk() {
    if (is_mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() const {
    std::ofstream filler(folder_ + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {}
}

void SmallDisk::free() const { std::filesystem::remove(folder_ + "/filler"); }

}  // namespace pawl::test
