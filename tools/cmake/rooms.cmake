# clrbus_room(NAME [DEPENDS room...] [USES library...] [TEST_USES library...])
#
# A room is a folder of bus/: a static library, an include root that holds nothing but a symbolic link NAME -> bus/NAME (so that
# "broker/queues.hpp" is found only by who depends on broker), and one test binary of the *_test.cpp beside the sources.
function(clrbus_room name)
  cmake_parse_arguments(R "" "" "DEPENDS;USES;TEST_USES" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  clrbus_library(clrbus_${name} ${folder} ${name})
  add_library(clrbus::${name} ALIAS clrbus_${name})
  list(TRANSFORM R_DEPENDS PREPEND clrbus::) # '::' makes a misspelt room a configure error
  target_link_libraries(clrbus_${name} PUBLIC ${R_DEPENDS} PRIVATE ${R_USES})
  clrbus_tests(${name} ${folder} clrbus::${name} ${R_USES} ${R_TEST_USES})
endfunction()

function(clrbus_library target folder name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_main)\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  set(root ${PROJECT_BINARY_DIR}/include-roots/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${folder} ${root}/${name} SYMBOLIC)
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${root})
    target_link_libraries(${target} PUBLIC Threads::Threads)
  else()
    add_library(${target} STATIC ${PROJECT_SOURCE_DIR}/tools/cmake/empty.cpp)
    target_include_directories(${target} PUBLIC ${root})
  endif()
endfunction()

# One binary and one ctest entry a room: a process start costs more than its cases. Tests are built -O0, whatever the product is.
function(clrbus_tests name folder)
  if(NOT CLRBUS_TESTS)
    return()
  endif()
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${folder}/*_test.cpp)
  if(NOT tests)
    return()
  endif()
  add_executable(${name}_tests ${tests})
  target_compile_options(${name}_tests PRIVATE -O0)
  target_compile_definitions(${name}_tests PRIVATE CLRBUS_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                   CLRBUS_BINARY_DIR="${PROJECT_BINARY_DIR}")
  target_link_libraries(${name}_tests PRIVATE ${ARGN} GTest::gmock GTest::gtest_main)
  target_include_directories(${name}_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name}_tests)
  set_tests_properties(${name} PROPERTIES LABELS quick TIMEOUT 300)
endfunction()

# clrbus_adapter(NAME [DEPENDS room...] [USES library...]): one folder of adapters/, added to the list that all_adapters() and the
# contract tests are made of.
function(clrbus_adapter name)
  cmake_parse_arguments(A "" "" "DEPENDS;USES;TEST_USES" ${ARGN})
  string(REPLACE "-" "_" id ${name})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  clrbus_library(clrbus_adapter_${id} ${folder} adapters_${id})
  list(TRANSFORM A_DEPENDS PREPEND clrbus::)
  target_link_libraries(clrbus_adapter_${id} PUBLIC clrbus::adapter clrbus::formats clrbus::config clrbus::xml clrbus::crypto
                                                    clrbus::core ${A_DEPENDS} PRIVATE ${A_USES})
  clrbus_tests(adapter_${id} ${folder} clrbus_adapter_${id} ${A_USES} ${A_TEST_USES})
  set_property(GLOBAL APPEND PROPERTY CLRBUS_ADAPTERS ${id})
endfunction()
