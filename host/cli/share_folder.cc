#include "host/cli/share_folder.h"

namespace iq::cli {

namespace fs = std::filesystem;

fs::path ProgramFolder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

fs::path ShareFolder(const std::string& name) {
  const fs::path program = ProgramFolder();
  for (const fs::path& prefix : {program.parent_path(), program}) {
    fs::path folder = prefix / "share" / "iq" / name;
    std::error_code unreadable;
    if (fs::is_directory(folder, unreadable)) return folder;
  }
  return {};
}

}  // namespace iq::cli
