# iq_add_plugin(NAME SOURCES file... [SCHEMA file.json...])
#
# A plugin NAME.so that exports its entry point and nothing else; the build fails where it does not.
#
# Each SCHEMA becomes a constant for C++ sources: points.add.json or points.schema.json gives
#   #include "points_schema.h"      static constexpr std::string_view kSchema = kPointsSchema;
# from the file's name up to its first dot. A change of the file counts from the next build on.
#
# With IQ_SANITIZED set the plugin may leave symbols undefined, as -fsanitize=… needs it.

function(iq_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;SCHEMA")
  if(NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "iq_add_plugin(NAME SOURCES file... [SCHEMA file.json...]), "
      "not: iq_add_plugin(${ARGV})")
  endif()
  set(sdk ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(version_script ${sdk}/iq.map)
  add_library(${name} MODULE ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE iq::sdk)
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX .so CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON LINK_DEPENDS ${version_script})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${name} PRIVATE -Wl,-z,now -Wl,--exclude-libs,ALL
    -Wl,--version-script=${version_script} $<$<NOT:$<BOOL:${IQ_SANITIZED}>>:-Wl,-z,defs>)
  foreach(schema ${arg_SCHEMA})
    iq_add_schema(${name} ${schema})
  endforeach()
  add_custom_command(TARGET ${name} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} -D NM=${CMAKE_NM} -D PLUGIN=$<TARGET_FILE:${name}>
      -P ${sdk}/IqCheckExports.cmake)
endfunction()

# The header of one schema, in a folder that is the plugin's own.
function(iq_add_schema name schema)
  cmake_path(ABSOLUTE_PATH schema)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${schema})
  file(READ ${schema} IQ_SCHEMA_TEXT)
  string(JSON type ERROR_VARIABLE fault TYPE "${IQ_SCHEMA_TEXT}")
  if(fault)
    message(FATAL_ERROR "${schema}: this is no JSON: ${fault}")
  endif()
  cmake_path(GET schema FILENAME IQ_SCHEMA_FILE)
  cmake_path(GET schema STEM stem)
  string(MAKE_C_IDENTIFIER ${stem} stem)
  string(REGEX MATCHALL "[^_]+" words ${stem})
  set(IQ_SCHEMA_NAME "")
  foreach(word ${words})
    string(SUBSTRING ${word} 0 1 initial)
    string(SUBSTRING ${word} 1 -1 rest)
    string(TOUPPER ${initial} initial)
    string(APPEND IQ_SCHEMA_NAME ${initial}${rest})
  endforeach()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${name}_schemas)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/schema.h.in
    ${folder}/${stem}_schema.h @ONLY)
  target_include_directories(${name} PRIVATE ${folder})
endfunction()
