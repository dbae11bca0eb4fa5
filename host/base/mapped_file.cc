#include "host/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace iq {
namespace {

// Closed at the end of its scope: a mapping needs no descriptor.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : number_(open(path.c_str(), flags | O_CLOEXEC, 0660)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void Fail(const std::string& path, int error) {
  throw std::system_error(error, std::generic_category(), path);
}

std::byte* Map(const std::string& path, std::size_t bytes, int protection, int flags, int file) {
  void* const memory = mmap(nullptr, bytes, protection, flags, file, 0);
  if (memory == MAP_FAILED) Fail(path, errno);
  // Nothing is read ahead, or a look at one page would make its neighbours resident.
  madvise(memory, bytes, MADV_RANDOM);
  return static_cast<std::byte*>(memory);
}

}  // namespace

MappedFile MappedFile::Open(const std::string& path, std::size_t bytes, Mode mode) {
  const Descriptor file(path, O_RDWR | O_CREAT | (mode == Mode::kNew ? O_EXCL : 0));
  if (file.number() < 0) Fail(path, errno);
  // A write to a hole of a full disk would be a SIGBUS.
  const int error = posix_fallocate(file.number(), 0, static_cast<off_t>(bytes));
  if (error != 0) {
    if (mode == Mode::kNew) unlink(path.c_str());
    Fail(path, error);
  }
  return {Map(path, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.number()), bytes};
}

MappedFile MappedFile::OpenToRead(const std::string& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status {};
  if (file.number() < 0 || fstat(file.number(), &status) != 0) Fail(path, errno);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes == 0) return {nullptr, 0};
  return {Map(path, bytes, PROT_READ, MAP_SHARED, file.number()), bytes};
}

MappedFile MappedFile::Anonymous(std::size_t bytes) {
  return {Map("memory", bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), bytes};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace iq
