# A unity build: several sources are compiled as one. Most of a file's time goes into headers and what the standard library
# instantiates for them, so a clean build takes a third of the time. Names in a floor's unnamed namespaces must differ.
# A floor's sources are divided evenly: a batch of one or two files would cost nearly what one of twelve does.
option(OGAS_UNITY "Compile several sources of a floor together" ON)
set(ogas_max_batch 12)

# ogas_floor(name NEEDS floors... LIBRARIES targets... [TEST_NEEDS floors...] [NOT_HOT])
#   Every .cc below src/<name>/, also in subfolders, but for main.cc and tests, becomes the library ogas_<name>. Tests,
#   x_test.cc, and what they share, x_test_y.cc, become the test program <name>_test.
#   TEST_NEEDS: floors that only the tests include. They may be above this one.
#   NOT_HOT: no loop here takes time compared with the engine's, so it is optimised less and compiles in three quarters of
#   the time.
function(ogas_floor name)
  cmake_parse_arguments(arg "NOT_HOT" "" "NEEDS;LIBRARIES;TEST_NEEDS" ${ARGN})
  list(TRANSFORM arg_NEEDS PREPEND ogas_)
  list(TRANSFORM arg_TEST_NEEDS PREPEND ogas_)
  add_library(ogas_${name} STATIC)
  ogas_floor_sources(${name} ogas_${name})
  target_link_libraries(ogas_${name} PUBLIC ogas_options ${arg_NEEDS} ${arg_LIBRARIES})
  ogas_compile_together(ogas_${name})
  if(arg_NOT_HOT)
    # With less inlining GCC 12 mistakes coroutines' frames for objects that another function allocated.
    target_compile_options(ogas_${name} PRIVATE $<$<CONFIG:Release>:-O1 -Wno-mismatched-new-delete>)
  endif()
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*_test.cc
       ${PROJECT_SOURCE_DIR}/src/${name}/*_test_*.cc)
  if(tests)
    ogas_test(${name}_test SOURCES ${tests} LIBRARIES ogas_${name} ${arg_TEST_NEEDS})
  endif()
endfunction()

# Divides the sources of `target` into as few batches as possible, all of about the same size.
function(ogas_compile_together target)
  get_target_property(sources ${target} SOURCES)
  list(LENGTH sources n_sources)
  math(EXPR n_batches "(${n_sources} + ${ogas_max_batch} - 1) / ${ogas_max_batch}")
  math(EXPR batch "(${n_sources} + ${n_batches} - 1) / ${n_batches}")
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${OGAS_UNITY} UNITY_BUILD_BATCH_SIZE ${batch})
endfunction()

# Gives `target` every source below src/<floor>/ that is neither a test nor a program.
function(ogas_floor_sources floor target)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${floor}/*.cc)
  list(FILTER sources EXCLUDE REGEX "(_test|_test_[^/]*|/main)\\.cc$")
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
  ogas_precompile_test_headers(${name})
  gtest_discover_tests(${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 900)
endfunction()

# GoogleTest's headers are precompiled once for all test programs, by an object library that is compiled as programs are.
function(ogas_precompile_test_headers name)
  if(NOT TARGET ogas_test_headers)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/test_headers.cc CONTENT "")
    add_library(ogas_test_headers OBJECT EXCLUDE_FROM_ALL ${PROJECT_BINARY_DIR}/generated/test_headers.cc)
    set_target_properties(ogas_test_headers PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(ogas_test_headers PRIVATE -fPIE)
    target_link_libraries(ogas_test_headers PRIVATE ogas_options fmt::fmt GTest::gmock)
    target_precompile_headers(ogas_test_headers PRIVATE <fmt/format.h> <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  target_precompile_headers(${name} REUSE_FROM ogas_test_headers)
endfunction()
