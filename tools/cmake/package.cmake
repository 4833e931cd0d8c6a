# cmake --install, and a Debian package by cpack -G DEB. What a site edits lies below /etc/clrbus in the layout of the source tree, so
# that the paths in conf/clrbus.xml hold in both; dpkg keeps changed files (conffiles).
include(GNUInstallDirs)
install(TARGETS clrbus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# /etc for a system's package, below the prefix otherwise: only the installation knows which.
install(CODE "set(source \"${PROJECT_SOURCE_DIR}\")")
install(
  CODE [[
    if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
      set(site /etc/clrbus)
    else()
      set(site "${CMAKE_INSTALL_PREFIX}/etc/clrbus")
    endif()
    foreach(folder IN ITEMS conf routes transforms xsd)
      file(INSTALL DESTINATION "${site}" TYPE DIRECTORY FILES "${source}/${folder}")
    endforeach()
    file(INSTALL DESTINATION "${site}" TYPE DIRECTORY FILES "${source}/adapters" FILES_MATCHING PATTERN "config.xsd" PATTERN "samples/*.xml"
         PATTERN "refused" EXCLUDE PATTERN "testdata" EXCLUDE)
  ]])
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
configure_file(tools/package/clrbus.service.in ${PROJECT_BINARY_DIR}/package/clrbus.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/clrbus.service DESTINATION lib/systemd/system)
install(FILES tools/package/sysusers.conf DESTINATION lib/sysusers.d RENAME clrbus.conf)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME clrbus)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Campus integration <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "campus message bus that ends in one signed learner record")
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON) # the libraries that the binary names, with their versions
set(CPACK_DEBIAN_PACKAGE_DEPENDS tzdata)
# Every file below /etc is a conffile: an upgrade asks before it replaces what the site changed.
file(GLOB_RECURSE site_files RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS conf/* routes/* transforms/* xsd/* adapters/*/config.xsd
     adapters/*/samples/*.xml)
set(conffiles "")
foreach(file IN LISTS site_files)
  if(NOT file MATCHES "/refused/" OR NOT file MATCHES "^adapters/")
    string(APPEND conffiles "/etc/clrbus/${file}\n")
  endif()
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/package/conffiles "${conffiles}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/package/conffiles;${PROJECT_SOURCE_DIR}/tools/package/postinst")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
