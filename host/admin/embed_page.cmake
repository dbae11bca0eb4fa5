# cmake -D OUTPUT=FILE.cc -D FOLDER=DIR -P embed_page.cmake
# Writes PageFiles() with the contents of DIR's files.
file(GLOB names RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT names)
set(arrays "")
set(entries "")
foreach(name IN LISTS names)
  file(READ ${FOLDER}/${name} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(MAKE_C_IDENTIFIER ${name} array)
  string(APPEND arrays "constexpr char ${array}[] = {${bytes}};\n")
  string(APPEND entries "    {\"${name}\", {${array}, sizeof ${array}}},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"host/admin/page_files.h\"

namespace iq {
namespace {

${arrays}
constexpr PageFile kFiles[] = {
${entries}};

}  // namespace

std::span<const PageFile> PageFiles() { return kFiles; }

}  // namespace iq
")
