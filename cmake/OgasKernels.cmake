# Instruction sets: each src/kernels/isa_<name>.cc is compiled with the flags of its set and exports one symbol
# (the test isa_symbols checks that); the rest of the program keeps the baseline flags.
set(avx2_flags -mavx2 -mfma -mf16c)
set(avxvnni_flags ${avx2_flags} -mavxvnni)
# GCC 12 warns of its own header, which leaves registers undefined on purpose (GCC bug 105593).
set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl -Wno-uninitialized -Wno-maybe-uninitialized)
set(avx512vnni_flags ${avx512_flags} -mavx512vnni)
set(avx512bf16_flags ${avx512vnni_flags} -mavx512bf16)
set(amx_flags ${avx512bf16_flags})  # tiles are used in assembler
# Processors with the dot product have the rest of ARMv8.2. Loops are laid out for the Raspberry Pi 4 and 5. GCC 12
# schedules before it allocates registers. With 8 sums it then needs copies, 10% of a tile's time (bench/cycles_arm64.py).
set(neon_flags -march=armv8-a -mtune=cortex-a72 -fno-schedule-insns)
set(neon_dotprod_flags -march=armv8.2-a+dotprod -mtune=cortex-a76 -fno-schedule-insns)
set(neon_i8mm_flags -march=armv8.2-a+dotprod+i8mm -mtune=cortex-a76 -fno-schedule-insns)
# GCC 12's address sanitizer may put vectors of 64 bytes where they are not aligned, if it looks for uses after return
# (GCC bug 110027).
if("address" IN_LIST sanitizers AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  foreach(isa avx512 avx512vnni avx512bf16 amx)
    list(APPEND ${isa}_flags --param=asan-use-after-return=0)
  endforeach()
endif()
# Kernels do not throw. Code that would clean up after an exception would refer to a symbol of the C++ runtime.
foreach(isa avx2 avxvnni avx512 avx512vnni avx512bf16 amx neon neon_dotprod neon_i8mm)
  list(APPEND ${isa}_flags -fno-exceptions)
endforeach()
set(kernels ${PROJECT_SOURCE_DIR}/src/kernels)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(isas avx2 avxvnni avx512 avx512vnni avx512bf16 amx)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(isas neon neon_dotprod neon_i8mm)
endif()
foreach(isa avx2 avxvnni avx512 avx512vnni avx512bf16 amx neon neon_dotprod neon_i8mm)
  if(isa IN_LIST isas)
    set_source_files_properties(${kernels}/isa_${isa}.cc TARGET_DIRECTORY ogas_kernels
                                PROPERTIES COMPILE_OPTIONS "${${isa}_flags}" SKIP_UNITY_BUILD_INCLUSION ON)
  else()
    set_source_files_properties(${kernels}/isa_${isa}.cc TARGET_DIRECTORY ogas_kernels PROPERTIES HEADER_FILE_ONLY ON)
  endif()
endforeach()

# What kernels_test runs in addition to the operations of this processor.
if(OGAS_BUILD_TESTS AND "avxvnni" IN_LIST isas)
  target_sources(kernels_test PRIVATE ${PROJECT_SOURCE_DIR}/tests/avxvnni_in_avx512.cc)
  set_source_files_properties(${PROJECT_SOURCE_DIR}/tests/avxvnni_in_avx512.cc TARGET_DIRECTORY kernels_test
                              PROPERTIES COMPILE_OPTIONS "${avx512vnni_flags}" SKIP_PRECOMPILE_HEADERS ON)
  target_compile_definitions(kernels_test PRIVATE OGAS_TESTS_AVXVNNI)
endif()
