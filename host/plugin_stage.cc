#include "host/plugin_stage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "host/base/digest.h"
#include "host/base/error.h"
#include "host/base/uuid.h"
#include "host/elf_file.h"
#include "host/plugin_trust.h"

namespace iq {
namespace {

namespace fs = std::filesystem;

constexpr off_t kFileBytesMax = off_t{256} * 1024 * 1024;
constexpr std::size_t kUnusedCopiesMax = 16;
// What is being written has this prefix and is as old as that at most, unless its writer died.
constexpr const char* kUnfinished = "unfinished-";
constexpr auto kUnfinishedAgeMax = std::chrono::minutes{10};

std::string ErrorText(int error) { return std::generic_category().message(error); }

class File {
 public:
  File(const fs::path& path, int flags, mode_t mode = 0)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC, mode)), error_(errno) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }

  bool is_open() const { return descriptor_ >= 0; }
  int error() const { return error_; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  int error_;
};

bool SameMoment(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// Up to `size` bytes from the beginning. Throws PluginNotRead.
std::string ReadAll(const std::string& path, int descriptor, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        pread(descriptor, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw PluginNotRead(fmt::format("{}: cannot be read: {}", path, ErrorText(errno)));
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

// What stands in `file` at one moment. Throws PluginNotRead.
std::string ReadTrusted(const std::string& file) {
  // Not blocking: a FIFO would wait for its other end.
  const File opened(file, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  struct stat before {};
  if (!opened.is_open() || fstat(opened.descriptor(), &before) != 0) {
    throw PluginNotRead(fmt::format("{}: cannot be read: {}", file, ErrorText(opened.error())));
  }
  if (!S_ISREG(before.st_mode)) {
    throw PluginNotRead(fmt::format("{}: it is not a regular file", file));
  }
  if (before.st_size > kFileBytesMax) {
    throw PluginNotRead(fmt::format("{}: it is larger than the {} MiB that a plugin may have", file,
                                    kFileBytesMax / 1024 / 1024));
  }
  if (const auto fault = FileTrustFault(file, before)) {
    throw PluginNotRead(fmt::format("{}: not trusted: {}", file, *fault));
  }
  std::string bytes = ReadAll(file, opened.descriptor(), static_cast<std::size_t>(before.st_size));
  struct stat after {};
  if (fstat(opened.descriptor(), &after) != 0 || after.st_size != before.st_size ||
      bytes.size() != static_cast<std::size_t>(after.st_size) ||
      !SameMoment(after.st_mtim, before.st_mtim)) {
    throw PluginNotRead(fmt::format("{}: it is being written to", file));
  }
  return bytes;
}

std::optional<std::string> Contents(const fs::path& path) {
  const File file(path, O_RDONLY);
  struct stat status {};
  if (!file.is_open() || fstat(file.descriptor(), &status) != 0) return std::nullopt;
  return ReadAll(path.string(), file.descriptor(), static_cast<std::size_t>(status.st_size));
}

// What a directory must be for copies to be mapped from it.
std::optional<std::string> DirectoryFault(const fs::path& directory) {
  if (auto fault = PrivateDirectoryFault(directory.string())) return fault;
  struct statvfs system {};
  if (statvfs(directory.c_str(), &system) == 0 && (system.f_flag & ST_NOEXEC) != 0) {
    return fmt::format("{} is on a file system that is mounted noexec", directory.string());
  }
  return std::nullopt;
}

bool IsAllowed(const std::vector<std::string>& allowed, const std::string& sha256) {
  return allowed.empty() || std::find(allowed.begin(), allowed.end(), sha256) != allowed.end();
}

struct Removable {
  fs::file_time_type used_at;
  fs::path path;
};

}  // namespace

PluginStage::PluginStage(fs::path directory, bool temporary)
    : directory_(std::move(directory)), temporary_(temporary) {}

PluginStage::PluginStage(fs::path directory) : directory_(fs::absolute(directory)) {
  std::error_code error;
  fs::create_directories(directory_.parent_path(), error);
  if (!error && mkdir(directory_.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    error.assign(errno, std::generic_category());
  }
  if (error) {
    throw UsageError(
        fmt::format("plugins.live: {} cannot be made: {}; name a directory that the host's user "
                    "may write to",
                    directory_.string(), error.message()));
  }
  if (const auto fault = DirectoryFault(directory_)) {
    throw UsageError(fmt::format(
        "plugins.live: {}; mend that, or name another directory for the copies of plugins",
        *fault));
  }
}

PluginStage PluginStage::Temporary() {
  std::string pattern = (fs::temp_directory_path() / "iq-plugins-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw UsageError(
        fmt::format("{}: cannot be made: {}; name a directory for temporary files in "
                    "TMPDIR",
                    pattern, ErrorText(errno)));
  }
  return PluginStage(pattern, /*temporary=*/true);
}

PluginStage PluginStage::Borrowed(const fs::path& directory) {
  if (DirectoryFault(fs::absolute(directory))) return Temporary();
  return PluginStage(fs::absolute(directory), /*temporary=*/false);
}

PluginStage::PluginStage(PluginStage&& other) noexcept
    : directory_(std::move(other.directory_)), temporary_(std::exchange(other.temporary_, false)) {}

PluginStage::~PluginStage() {
  std::error_code ignored;
  if (temporary_) fs::remove_all(directory_, ignored);
}

StagedPlugin PluginStage::Stage(const std::string& file,
                                const std::vector<std::string>& allowed) const {
  const std::string bytes = ReadTrusted(file);
  StagedPlugin staged{{}, Sha256Hex(bytes)};
  if (!IsAllowed(allowed, staged.sha256)) {
    throw PluginRefused(
        fmt::format("{}: its SHA-256 is not in plugins.allow; if it is meant to run, add {} there",
                    file, staged.sha256));
  }
  staged.path = PathOf(staged.sha256);
  const fs::path copy = staged.path;
  // After a power failure a copy may be there in part.
  if (Contents(copy) == bytes) {
    std::error_code ignored;
    fs::last_write_time(copy, fs::file_time_type::clock::now(), ignored);
    return staged;
  }
  const fs::path unfinished = directory_ / (kUnfinished + RandomUuid() + ".so");
  Write(unfinished, bytes);
  std::error_code error;
  if (const auto fault = ElfFault(unfinished.string())) {
    fs::remove(unfinished, error);
    throw PluginRefused(fmt::format("{}: the file {}", file, *fault));
  }
  fs::rename(unfinished, copy, error);
  if (error) {
    throw PluginNotRead(
        fmt::format("{}: its copy {} cannot be made: {}", file, staged.path, error.message()));
  }
  return staged;
}

std::string PluginStage::PathOf(const std::string& sha256) const {
  return (directory_ / (sha256 + ".so")).string();
}

std::optional<StagedPlugin> PluginStage::Find(const std::string& sha256,
                                              const std::vector<std::string>& allowed) const {
  if (!IsAllowed(allowed, sha256)) return std::nullopt;
  StagedPlugin staged{PathOf(sha256), sha256};
  const auto bytes = Contents(staged.path);
  if (!bytes || Sha256Hex(*bytes) != sha256) return std::nullopt;
  return staged;
}

std::string PluginStage::CopyAgain(const StagedPlugin& staged) const {
  const auto bytes = Contents(staged.path);
  if (!bytes) throw PluginNotRead(fmt::format("{}: its copy is gone", staged.path));
  const fs::path copy = directory_ / (kUnfinished + RandomUuid() + ".so");
  Write(copy, *bytes);
  return copy.string();
}

void PluginStage::Write(const fs::path& path, const std::string& bytes) const {
  const File file(path, O_WRONLY | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
  int error = file.is_open() ? 0 : file.error();
  std::size_t done = 0;
  while (error == 0 && done < bytes.size()) {
    const ssize_t put = write(file.descriptor(), bytes.data() + done, bytes.size() - done);
    if (put >= 0) {
      done += static_cast<std::size_t>(put);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0) return;
  std::error_code ignored;
  fs::remove(path, ignored);
  throw PluginNotRead(
      fmt::format("{}: no copy can be made there: {}", directory_.string(), ErrorText(error)));
}

fs::path PluginStage::PassedPath(const StagedPlugin& staged,
                                 const std::string& circumstances) const {
  return directory_ / fmt::format("{}.{}.passed", staged.sha256, Sha256Hex(circumstances));
}

bool PluginStage::HasPassed(const StagedPlugin& staged, const std::string& circumstances) const {
  std::error_code ignored;
  return fs::exists(PassedPath(staged, circumstances), ignored);
}

void PluginStage::NotePassed(const StagedPlugin& staged, const std::string& circumstances) const {
  // Where it cannot be noted, the plugin is probed again.
  const File note(PassedPath(staged, circumstances), O_WRONLY | O_CREAT, S_IRUSR | S_IWUSR);
}

void PluginStage::Clean(const std::set<std::string>& in_use) const {
  std::error_code ignored;
  const auto now = fs::file_time_type::clock::now();
  std::vector<Removable> unused;
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    const fs::path& path = entry.path();
    const auto used_at = entry.last_write_time(ignored);
    if (path.filename().string().starts_with(kUnfinished)) {
      if (now - used_at > kUnfinishedAgeMax) fs::remove(path, ignored);
    } else if (path.extension() == ".so" && !in_use.contains(path.string())) {
      unused.push_back({used_at, path});
    }
  }
  if (unused.size() > kUnusedCopiesMax) {
    const auto first = unused.begin() + kUnusedCopiesMax;
    std::nth_element(unused.begin(), first, unused.end(),
                     [](const auto& a, const auto& b) { return a.used_at > b.used_at; });
    for (auto each = first; each != unused.end(); ++each) fs::remove(each->path, ignored);
  }
  for (const auto& entry : fs::directory_iterator(directory_, ignored)) {
    const std::string name = entry.path().filename().string();
    const std::string sha256 = name.substr(0, name.find('.'));
    if (name.ends_with(".passed") && !fs::exists(directory_ / (sha256 + ".so"), ignored)) {
      fs::remove(entry.path(), ignored);
    }
  }
}

}  // namespace iq
