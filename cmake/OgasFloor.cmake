# ogas_floor(name NEEDS floors... LIBRARIES targets...)
#   src/<name>/*.cc becomes the library ogas_<name> (main.cc apart); src/<name>/*_test.cc the test program <name>_test.
function(ogas_floor name)
  cmake_parse_arguments(arg "" "" "NEEDS;LIBRARIES" ${ARGN})
  list(TRANSFORM arg_NEEDS PREPEND ogas_)
  add_library(ogas_${name} STATIC)
  ogas_floor_sources(${name} ogas_${name})
  target_link_libraries(ogas_${name} PUBLIC ogas_options ${arg_NEEDS} ${arg_LIBRARIES})
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*_test.cc)
  if(tests)
    ogas_test(${name}_test SOURCES ${tests} LIBRARIES ogas_${name})
  endif()
endfunction()

# Gives `target` every source of src/<floor>/ that is neither a test nor a program.
function(ogas_floor_sources floor target)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${floor}/*.cc)
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cc$")
  target_sources(${target} PRIVATE ${sources})
endfunction()

# ogas_test(name SOURCES files... LIBRARIES targets...): a GoogleTest program, each of its tests known to ctest.
# It runs in the source tree, so test data is found as "tests/data/...".
function(ogas_test name)
  if(NOT OGAS_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} ogas_options GTest::gtest GTest::gtest_main GTest::gmock)
  target_precompile_headers(${name} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  gtest_discover_tests(${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 900)
endfunction()
