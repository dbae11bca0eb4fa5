// A file whose bytes are locks: the kernel frees those of a process that dies, at once.
#pragma once

#include <cstdint>
#include <string>

namespace iq {

// One holder. Any number of them, in this process and in others, may open the same file. The locks
// are open file description locks of fcntl(2): they belong to this object, not to the process or
// thread. A child that is forked without exec shares them, and keeps them until it ends or they are
// unlocked; exec closes the file. Not thread-safe. The file stays empty, and must not be removed: a
// second file of the same name is a second set of locks. InPlace() tells.
class LockFile {
 public:
  // Creates the file and its directory where they are missing. Throws Unavailable.
  explicit LockFile(const std::string& path);
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;
  ~LockFile();

  // False when another holder has it. `place` is below 2^63; a place held already is held once.
  // Throws Unavailable.
  [[nodiscard]] bool TryLock(std::uint64_t place);
  void Unlock(std::uint64_t place);
  // In one system call, whose cost does not grow with what other holders have.
  void UnlockAll();
  // Whether another holder has it.
  bool HeldByOther(std::uint64_t place) const;
  // False once the file was removed or replaced: others may have the same places in another one.
  bool InPlace() const;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  int file_ = -1;
};

}  // namespace iq
