// A directory that goes with the object.
#pragma once

#include <filesystem>
#include <string>

namespace iq {

class TemporaryDirectory {
 public:
  // Below the system's directory for such things, open to nobody but this user. `purpose` is part
  // of its name. Throws std::system_error.
  explicit TemporaryDirectory(const std::string& purpose);
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::filesystem::path& path() const { return path_; }

  // Leaves it where it is, for a person to look into.
  void Keep() { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace iq
