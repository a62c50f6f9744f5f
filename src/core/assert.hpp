// PAWL_ASSERT stays on in release: for our own bugs only, never for input, network or disk.
#pragma once

namespace pawl {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define PAWL_ASSERT(x) (static_cast<bool>(x) ? void() : ::pawl::assertion_failed(#x, __FILE__, __LINE__))
