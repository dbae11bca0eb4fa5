# cmake -D NM=program -D PLUGIN=file -P IqCheckExports.cmake
#
# Fails, and removes the file, unless a plugin exports its entry point and nothing else.
cmake_minimum_required(VERSION 3.25)

set(entry_point iq_plugin_v1)
execute_process(COMMAND ${NM} --dynamic --defined-only --format=posix ${PLUGIN}
  OUTPUT_VARIABLE symbols ERROR_VARIABLE fault RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PLUGIN}: its exports cannot be read: ${fault}")
endif()
string(REGEX MATCHALL "[^\n]+" lines "${symbols}")
set(exports "")
foreach(line ${lines})
  string(REGEX REPLACE " .*" "" symbol "${line}")
  list(APPEND exports ${symbol})
endforeach()

set(others ${exports})
list(REMOVE_ITEM others ${entry_point})
if(NOT ${entry_point} IN_LIST exports)
  set(fault "does not export ${entry_point}: write IQ_PLUGIN(…) into one of its sources, once and outside of any namespace")
elseif(others)
  list(JOIN others ", " others)
  set(fault "exports more than ${entry_point}: ${others}; make them static, and leave the version script of iq_add_plugin in force")
else()
  return()
endif()
file(REMOVE ${PLUGIN})
cmake_path(GET PLUGIN FILENAME file)
message(FATAL_ERROR "${file} ${fault}")
