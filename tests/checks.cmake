# The checks of the sources, and the tests of the tools, as tests of ctest; only with the build that ships.
if(NOT OGAS_BUILD_TESTS OR NOT CMAKE_BUILD_TYPE STREQUAL "Release" OR OGAS_SANITIZE OR CMAKE_CROSSCOMPILING)
  return()
endif()
set(tools ${PROJECT_SOURCE_DIR}/tools)

# ogas_check(name COMMAND...): a test that runs in the source tree.
function(ogas_check name)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1800 SKIP_RETURN_CODE 77) # a busy machine, the reference
endfunction()

ogas_check(check_floors ${Python3_EXECUTABLE} ${tools}/check_floors.py)
ogas_check(check_floors_test ${Python3_EXECUTABLE} ${tools}/check_floors_test.py)
ogas_check(check_words ${Python3_EXECUTABLE} ${tools}/check_words.py)
ogas_check(check_words_test ${Python3_EXECUTABLE} ${tools}/check_words_test.py)
ogas_check(check_format ${tools}/format --check)
ogas_check(setup_test ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/tree/setup_test.py)
ogas_check(docs_test ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/tree/docs_test.py)
ogas_check(peers_test ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/tree/peers_test.py)
# The program as a user runs it. OGAS_TEST_MODEL names the model.
foreach(name cli/cli_test cli/model_names_test cli/chat_test cli/remote_chat_test cli/top_test cli/score_embed_test
             cli/reasoning_test cli/structured_test cli/memory_limit_test cli/documented_flags_test server/serve_test
             server/serve_requests_test server/scripted_answers_test server/scripted_messages_test)
  get_filename_component(test ${name} NAME)
  ogas_check(${test} ${CMAKE_COMMAND} -E env OGAS_BINARY=$<TARGET_FILE:ogas>
             ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/${name}.py)
endforeach()
# The server with real clients. OGAS_TEST_CLIENTS names the folder that tools/get_clients prints.
foreach(name openai_schema_test server_openai_test server_node_test server_curl_test server_langchain_test server_ollama_test
             server_anthropic_test server_lm_eval_test server_tools_test server_tool_choice_test server_frameworks_test
             server_schemathesis_test)
  ogas_check(${name} ${CMAKE_COMMAND} -E env OGAS_BINARY=$<TARGET_FILE:ogas> ${PROJECT_SOURCE_DIR}/tests/with_clients
             ${PROJECT_SOURCE_DIR}/tests/server/${name}.py)
endforeach()
# The C API as a library. It is written in C, so a C compiler is needed.
ogas_check(capi_test ${CMAKE_COMMAND} -E env OGAS_BINARY=$<TARGET_FILE:ogas> OGAS_LIBRARY=$<TARGET_FILE:ogas_shared>
           NM=${CMAKE_NM} ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/library/capi_test.py)
ogas_check(package_test ${PROJECT_SOURCE_DIR}/tests/tree/package_test.sh ${PROJECT_BINARY_DIR})

# The programs of bench/ that take seconds, briefly: whether they still work. (./test bench runs all of them.) Those in C++
# are not part of a plain build; a test builds them.
set(quick ${PROJECT_SOURCE_DIR}/bench/quick.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${quick})
execute_process(COMMAND ${Python3_EXECUTABLE} ${quick} --list OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" names "${names}")
ogas_check(bench_programs ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target bench_programs)
set_tests_properties(bench_programs PROPERTIES FIXTURES_SETUP bench_programs TIMEOUT 900)
# Compares grammars with jsonschema on generated cases; the full run is tools/fuzz_grammar.py with --cases 1000000.
ogas_check(fuzz_grammar ${PROJECT_SOURCE_DIR}/tests/with_clients ${PROJECT_SOURCE_DIR}/tools/fuzz_grammar.py
           tests/data/tokenizers/small_byte_level.tokenizer.json --cases 3000 --seed 7
           --program ${PROJECT_BINARY_DIR}/bench/grammar_bench)
set_tests_properties(fuzz_grammar PROPERTIES FIXTURES_REQUIRED bench_programs TIMEOUT 600)
foreach(name IN LISTS names)
  ogas_check(bench_${name} ${Python3_EXECUTABLE} ${quick} ${name} --build ${PROJECT_BINARY_DIR})
  set_tests_properties(bench_${name} PROPERTIES FIXTURES_REQUIRED bench_programs LABELS bench)
endforeach()
