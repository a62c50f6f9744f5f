# Debian 12 packages only; each with its reason in docs/dev/dependencies.md.
set(Boost_NO_BOOST_CMAKE OFF)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)  # the client library, libpq
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(valijson REQUIRED)  # header-only
# RE2 comes with no CMake package: linked by its name, which is also what the installed library asks for.
find_path(RE2_INCLUDE_DIR re2/re2.h REQUIRED)
find_library(RE2_LIBRARY re2 REQUIRED)
mark_as_advanced(RE2_INCLUDE_DIR RE2_LIBRARY)
if(PAWL_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
