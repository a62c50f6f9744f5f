#include "core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace pawl {

void assertion_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "pawl: internal error, please report: %s at %s:%d\n", expression, file, line);
    std::abort();
}

}  // namespace pawl
