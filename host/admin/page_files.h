// The page's files (host/admin/page/), which are part of the program.
#pragma once

#include <span>
#include <string_view>

namespace iq {

struct PageFile {
  std::string_view name;
  std::string_view contents;
};

// All of them, for as long as the process lives.
std::span<const PageFile> PageFiles();

// What a browser takes the file for, by its name.
std::string_view MediaType(std::string_view file);

}  // namespace iq
