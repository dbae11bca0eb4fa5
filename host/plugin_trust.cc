#include "host/plugin_trust.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

namespace iq {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;  // As the kernel.
constexpr std::size_t kAccountBytesMax = 64 * 1024;

enum class Sticky { kWillDo, kWillNotDo };

std::string Unreadable(const std::string& path, int error) {
  return fmt::format("{} cannot be read: {}", path, std::generic_category().message(error));
}

// Whether `group` is the private one of `user`: it has the user's name and no other member, as
// where each user has such a group and a umask of 002.
bool IsPrivateGroup(gid_t group, uid_t user) {
  std::array<char, kAccountBytesMax> account_text{};
  passwd account{};
  passwd* found_account = nullptr;
  if (getpwuid_r(user, &account, account_text.data(), account_text.size(), &found_account) != 0 ||
      found_account == nullptr || account.pw_gid != group) {
    return false;
  }
  std::array<char, kAccountBytesMax> entry_text{};
  struct group entry {};
  struct group* found_entry = nullptr;
  if (getgrgid_r(group, &entry, entry_text.data(), entry_text.size(), &found_entry) != 0 ||
      found_entry == nullptr) {
    return false;
  }
  const std::string_view name = account.pw_name;
  if (name != entry.gr_name) return false;
  for (char** member = entry.gr_mem; *member != nullptr; ++member) {
    if (name != *member) return false;
  }
  return true;
}

// Whoever owns the program that runs, or a directory above it, could replace that: a checkout that
// is mounted into a container, for instance.
std::set<uid_t> ProgramOwners() {
  std::set<uid_t> owners;
  std::error_code ignored;
  fs::path path = fs::read_symlink("/proc/self/exe", ignored);
  for (;; path = path.parent_path()) {
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) owners.insert(status.st_uid);
    if (!path.has_relative_path()) return owners;
  }
}

bool IsTrusted(uid_t user) {
  static const std::set<uid_t> program_owners = ProgramOwners();
  return user == 0 || user == geteuid() || program_owners.contains(user);
}

std::optional<std::string> OwnerFault(const std::string& path, const struct stat& status) {
  if (IsTrusted(status.st_uid)) return std::nullopt;
  return fmt::format(
      "{} belongs to user {}, who could put any code there; chown it to root or to user {}", path,
      status.st_uid, geteuid());
}

std::optional<std::string> Fault(const std::string& path, const struct stat& status) {
  if (auto fault = OwnerFault(path, status)) return fault;
  const bool group_writable =
      (status.st_mode & S_IWGRP) != 0 && !IsPrivateGroup(status.st_gid, status.st_uid);
  if (!group_writable && (status.st_mode & S_IWOTH) == 0) return std::nullopt;
  return fmt::format("{} may be written by others than its owner; run `chmod go-w {}`", path, path);
}

// A way to a file, one directory after the other as the kernel goes it.
class Walk {
 public:
  explicit Walk(const std::string& path) { Prepend(fs::absolute(path)); }

  // `direct` is for the directories that hold the file itself, or a link to it.
  std::optional<std::string> Go(Sticky direct) {
    while (!left_.empty()) {
      const fs::path name = left_.front();
      left_.pop_front();
      if (name.empty() || name == ".") continue;
      if (name == "..") {
        at_ = at_.parent_path();
        continue;
      }
      if (auto fault = DirectoryFault(left_.empty() ? direct : Sticky::kWillDo)) return fault;
      if (auto fault = Step(at_ / name)) return fault;
    }
    return std::nullopt;
  }

  // What the way led to, once it was gone without a fault.
  const struct stat& end() const { return end_; }
  std::string end_path() const { return at_.string(); }

 private:
  void Prepend(const fs::path& path) {
    left_.insert(left_.begin(), path.begin(), path.end());
    if (!path.is_absolute()) return;
    at_ = "/";
    left_.pop_front();
  }

  std::optional<std::string> DirectoryFault(Sticky sticky) const {
    struct stat status {};
    if (lstat(at_.c_str(), &status) != 0) return Unreadable(at_.string(), errno);
    if (sticky == Sticky::kWillDo && (status.st_mode & S_ISVTX) != 0) {
      return OwnerFault(at_.string(), status);
    }
    return Fault(at_.string(), status);
  }

  std::optional<std::string> Step(const fs::path& next) {
    if (lstat(next.c_str(), &end_) != 0) return Unreadable(next.string(), errno);
    if (!S_ISLNK(end_.st_mode)) {
      at_ = next;
      return std::nullopt;
    }
    if (auto fault = OwnerFault(next.string(), end_)) return fault;
    if (++links_ > kLinksMax) return Unreadable(next.string(), ELOOP);
    std::error_code error;
    const fs::path target = fs::read_symlink(next, error);
    if (error) return Unreadable(next.string(), error.value());
    Prepend(target);
    return std::nullopt;
  }

  std::deque<fs::path> left_;
  fs::path at_;  // Free of links.
  struct stat end_ {};
  int links_ = 0;
};

}  // namespace

std::optional<std::string> FileTrustFault(const std::string& path, const struct stat& opened) {
  Walk walk(path);
  if (auto fault = walk.Go(Sticky::kWillNotDo)) return fault;
  if (walk.end().st_dev != opened.st_dev || walk.end().st_ino != opened.st_ino) {
    return "it was replaced while it was looked at";
  }
  return Fault(walk.end_path(), opened);
}

std::optional<std::string> PrivateDirectoryFault(const std::string& path) {
  Walk walk(path);
  if (auto fault = walk.Go(Sticky::kWillDo)) return fault;
  const struct stat& status = walk.end();
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is not a directory", walk.end_path());
  if (status.st_uid != geteuid()) {
    return fmt::format("{} belongs to user {}, not to user {}, who runs this", walk.end_path(),
                       status.st_uid, geteuid());
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) == 0) return std::nullopt;
  return fmt::format("{} is open to others than its owner; run `chmod 700 {}`", walk.end_path(),
                     walk.end_path());
}

}  // namespace iq
