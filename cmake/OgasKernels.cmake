# Instruction sets: each src/kernels/isa_<name>.cc is compiled with the flags of its set and exports one symbol
# (tests/isa_symbols_test holds it to that); the rest of the program keeps the baseline flags.
set(avx2_flags -mavx2 -mfma -mf16c)
# GCC 12 warns of its own header, which leaves registers undefined on purpose (GCC bug 105593).
set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512dq -mavx512vl -Wno-uninitialized -Wno-maybe-uninitialized)
set(avx512vnni_flags ${avx512_flags} -mavx512vnni)
set(kernels ${PROJECT_SOURCE_DIR}/src/kernels)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(isa avx2 avx512 avx512vnni)
    if(EXISTS ${kernels}/isa_${isa}.cc)
      set_source_files_properties(${kernels}/isa_${isa}.cc TARGET_DIRECTORY ogas_kernels
                                  PROPERTIES COMPILE_OPTIONS "${${isa}_flags}")
    endif()
  endforeach()
endif()
