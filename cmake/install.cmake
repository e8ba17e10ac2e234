# `cmake --install` puts header, libraries, pkg-config file and CMake package in place.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(miheap::miheap ALIAS miheap)
add_library(miheap::static ALIAS miheap_static)
set_target_properties(miheap_static PROPERTIES EXPORT_NAME static)

install(
  TARGETS miheap miheap_static
  EXPORT miheap-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(NOT CMAKE_JS_VERSION)
  install(FILES ${CMAKE_BINARY_DIR}/miheap.o DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(FILES native/include/miheap.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(
  EXPORT miheap-targets
  NAMESPACE miheap::
  FILE miheapTargets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/miheap)
configure_package_config_file(cmake/miheapConfig.cmake.in ${CMAKE_BINARY_DIR}/miheapConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/miheap)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/miheapConfigVersion.cmake
                                 COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/miheapConfig.cmake ${CMAKE_BINARY_DIR}/miheapConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/miheap)
file(RELATIVE_PATH MI_PC_INCLUDEDIR ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(cmake/miheap.pc.in ${CMAKE_BINARY_DIR}/miheap.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/miheap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
