#include "board.hpp"

#include "measure.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace bench {

SharedBoard::SharedBoard(const std::string& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ::ftruncate(fd, sizeof(Board)) != 0) give_up("no file for counters: " + file);
    void* at = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at == MAP_FAILED) give_up("no memory for counters");
    board_ = static_cast<Board*>(at);  // zeros are its beginning
}

SharedBoard::~SharedBoard() { ::munmap(board_, sizeof(Board)); }

}  // namespace bench
