# cmake --install, and the Debian package: ninja -C build/release && (cd build/release && cpack -G DEB)
include(GNUInstallDirs)
install(TARGETS ogas RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS ogas_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${PROJECT_SOURCE_DIR}/include/ogas/ogas.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ogas)
file(RELATIVE_PATH pkgconfig_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/ogas.pc.in ${PROJECT_BINARY_DIR}/generated/ogas.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/generated/ogas.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_file(${PROJECT_SOURCE_DIR}/cmake/systemd/ogas.service.in ${PROJECT_BINARY_DIR}/generated/ogas.service @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/generated/ogas.service ${PROJECT_SOURCE_DIR}/cmake/systemd/ogas.socket
        DESTINATION lib/systemd/system)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

# The program writes its own completions. A cross-built one does not run here and is installed without.
if(NOT CMAKE_CROSSCOMPILING)
  set(completion_bash ${CMAKE_INSTALL_DATADIR}/bash-completion/completions/ogas)
  set(completion_zsh ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions/_ogas)
  set(completion_fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/ogas.fish)
  foreach(shell bash zsh fish)
    cmake_path(GET completion_${shell} PARENT_PATH folder)
    cmake_path(GET completion_${shell} FILENAME name)
    set(written ${PROJECT_BINARY_DIR}/completions/${shell}/${name})
    install(CODE "
      file(MAKE_DIRECTORY \"${PROJECT_BINARY_DIR}/completions/${shell}\")
      execute_process(COMMAND \"$<TARGET_FILE:ogas>\" completion ${shell} OUTPUT_FILE \"${written}\"
                      COMMAND_ERROR_IS_FATAL ANY)")
    install(FILES ${written} DESTINATION ${folder})
  endforeach()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ogas)
set(CPACK_PACKAGE_CONTACT "ogas developers <ogas@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Open-weight language models on ordinary CPUs")
set(CPACK_PACKAGE_DESCRIPTION
    "Runs open-weight language models from GGUF files on the processors people
already own: one program for answers, conversations and looking into models,
and a library for C and what calls C.
Instruction sets are chosen at run time.")
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION misc)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
include(CPack)
