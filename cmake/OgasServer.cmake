# Compiles the API's description into the program, which serves it at /openapi.json.
set(openapi ${PROJECT_SOURCE_DIR}/src/server/openapi.json)
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${openapi})
file(READ ${openapi} openapi_text)
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/openapi_json.h @ONLY
     CONTENT "#include <string_view>\ninline constexpr std::string_view kOpenApiJson = R\"json(@openapi_text@)json\";\n")
target_include_directories(ogas_server PRIVATE ${PROJECT_BINARY_DIR}/generated)
