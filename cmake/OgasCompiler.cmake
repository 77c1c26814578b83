# Warnings, sanitizers, and ccache if it is installed.
add_library(ogas_options INTERFACE)
target_include_directories(ogas_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(ogas_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       -Wnon-virtual-dtor -Wno-psabi -fno-math-errno -ffp-contract=off)
# GCC 12 warns of overlapping copies in std::string's operator+ where there are none (GCC bug 105651).
target_compile_options(ogas_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(OGAS_WERROR)
  target_compile_options(ogas_options INTERFACE -Werror)
endif()
if(OGAS_SANITIZE)
  string(REPLACE "," ";" sanitizers "${OGAS_SANITIZE}")
  foreach(sanitizer IN LISTS sanitizers)
    target_compile_options(ogas_options INTERFACE -fsanitize=${sanitizer})
    target_link_options(ogas_options INTERFACE -fsanitize=${sanitizer})
  endforeach()
  target_compile_options(ogas_options INTERFACE -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
endif()

find_program(OGAS_CCACHE ccache)
if(OGAS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers only hit the cache when ccache is told to ignore their time stamps.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${OGAS_CCACHE})
  target_compile_options(ogas_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()
