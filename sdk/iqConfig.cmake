# find_package(iq): targets iq::sdk (headers) and iq::testkit (a host for unit tests), and the function
# iq_add_plugin.
include(${CMAKE_CURRENT_LIST_DIR}/iqTargets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/IqAddPlugin.cmake)
