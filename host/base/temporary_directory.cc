#include "host/base/temporary_directory.h"

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace iq {

TemporaryDirectory::TemporaryDirectory(const std::string& purpose) {
  std::string pattern =
      (std::filesystem::temp_directory_path() / ("iq-" + purpose + "-XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), pattern);
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  if (kept_) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace iq
