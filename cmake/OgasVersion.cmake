# generated_version.h with the version and the commit it was built from.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty --abbrev=12
                OUTPUT_VARIABLE OGAS_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT OGAS_COMMIT)
  set(OGAS_COMMIT "unknown commit")
endif()
configure_file(${PROJECT_SOURCE_DIR}/cmake/generated_version.h.in ${PROJECT_BINARY_DIR}/generated/generated_version.h)
target_include_directories(ogas_base PRIVATE ${PROJECT_BINARY_DIR}/generated)
# Configure again when HEAD moves, so that --version stays right.
if(EXISTS ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/.git/logs/HEAD)
endif()
