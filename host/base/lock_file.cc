#include "host/base/lock_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "host/base/error.h"

namespace iq {
namespace {

struct flock ByteAt(std::uint64_t place, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(place);
  lock.l_len = 1;
  return lock;
}

[[noreturn]] void Fail(const std::string& path, int error) {
  throw Unavailable(
      fmt::format("lock file {}: {}; let the host's user write to it and to its directory", path,
                  std::generic_category().message(error)));
}

}  // namespace

LockFile::LockFile(const std::string& path) : path_(path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) Fail(path, error.value());
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file_ < 0) Fail(path, errno);
}

LockFile::~LockFile() { close(file_); }

bool LockFile::TryLock(std::uint64_t place) {
  struct flock lock = ByteAt(place, F_WRLCK);
  if (fcntl(file_, F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  Fail(path_, errno);
}

void LockFile::Unlock(std::uint64_t place) {
  struct flock lock = ByteAt(place, F_UNLCK);
  if (fcntl(file_, F_OFD_SETLK, &lock) != 0) Fail(path_, errno);
}

void LockFile::UnlockAll() {
  struct flock all = ByteAt(0, F_UNLCK);
  all.l_len = 0;  // To the end, however far that is.
  if (fcntl(file_, F_OFD_SETLK, &all) != 0) Fail(path_, errno);
}

bool LockFile::HeldByOther(std::uint64_t place) const {
  struct flock lock = ByteAt(place, F_WRLCK);
  if (fcntl(file_, F_OFD_GETLK, &lock) != 0) Fail(path_, errno);
  return lock.l_type != F_UNLCK;
}

bool LockFile::InPlace() const {
  struct stat ours {};
  struct stat there {};
  if (fstat(file_, &ours) != 0 || ours.st_nlink == 0) return false;
  if (stat(path_.c_str(), &there) != 0) return false;
  return ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

}  // namespace iq
