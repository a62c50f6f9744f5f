# cmake --install: the library with its headers, the binary, and what find_package(pawl) needs.
include(CMakePackageConfigHelpers)
set(pawl_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pawl)

install(TARGETS pawl EXPORT pawl_targets)
install(DIRECTORY include/pawl DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pawl_targets NAMESPACE pawl:: FILE pawlTargets.cmake DESTINATION ${pawl_cmake_dir})
configure_package_config_file(cmake/pawlConfig.cmake.in ${PROJECT_BINARY_DIR}/pawlConfig.cmake
  INSTALL_DESTINATION ${pawl_cmake_dir})
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pawlConfig.cmake ${PROJECT_BINARY_DIR}/pawlConfigVersion.cmake
  DESTINATION ${pawl_cmake_dir})
if(TARGET pawl_cli)
  install(TARGETS pawl_cli)
endif()
