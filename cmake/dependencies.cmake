# Debian 12 packages only; each with its reason in docs/dev/dependencies.md.
set(Boost_NO_BOOST_CMAKE OFF)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(valijson REQUIRED)  # header-only
if(PAWL_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
