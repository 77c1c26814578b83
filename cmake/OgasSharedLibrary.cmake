# libogas.so: the C API (include/ogas/ogas.h) and everything below it. It exports only what the header declares
# (tests/library/capi_test.py), and none of what std:: and the libraries instantiate.
target_include_directories(ogas_capi PUBLIC ${PROJECT_SOURCE_DIR}/include)
set(header ${PROJECT_SOURCE_DIR}/include/ogas/ogas.h)
file(STRINGS ${header} abi_version REGEX "^#define OGAS_ABI_VERSION [0-9]+$")
string(REGEX MATCH "[0-9]+$" abi_version "${abi_version}")
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/libogas.map CONTENT "OGAS_${abi_version} { global: ogas_*; local: *; };\n")

add_library(ogas_shared SHARED $<TARGET_OBJECTS:ogas_capi>)
set_target_properties(ogas_shared PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(ogas_shared PUBLIC ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(ogas_shared PRIVATE ogas_options ogas_engine ogas_chat)
target_link_options(ogas_shared PRIVATE -Wl,--version-script,${PROJECT_BINARY_DIR}/generated/libogas.map)
set_target_properties(ogas_shared PROPERTIES OUTPUT_NAME ogas SOVERSION ${abi_version}
                      LINK_DEPENDS ${PROJECT_BINARY_DIR}/generated/libogas.map)
