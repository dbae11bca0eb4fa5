// A file that is mapped into memory: what is written there outlives the process, however it ends.
// Its pages become resident one by one, as they are touched.
#pragma once

#include <cstddef>
#include <string>

namespace iq {

// Not thread-safe itself; what is in the memory is its users' business. Every call that fails
// throws std::system_error that names the file.
class MappedFile {
 public:
  enum class Mode { kNew, kShared };
  // kNew: there must be no such file. kShared: it is made where it is missing, and all who open it
  // see the same bytes. Its room on the disk is taken at once, so that no write can fail later.
  // New bytes are zero.
  static MappedFile Open(const std::string& path, std::size_t bytes, Mode mode);
  // To be read, as long as it is.
  static MappedFile OpenToRead(const std::string& path);
  // No file: it ends with the process.
  static MappedFile Anonymous(std::size_t bytes);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  MappedFile(std::byte* data, std::size_t size) : data_(data), size_(size) {}

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace iq
