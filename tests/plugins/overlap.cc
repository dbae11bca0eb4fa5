// test.overlap: shows whether two commands of one lock key ever run at the same time.
//
// Locks "overlap:USER" and writes, when it enters and leaves, a line
//   enter|leave PID MONOTONIC_NANOSECONDS KEY ID
// to the file that the setting `directory` names, or to overlap.log in it where it is a directory;
// in between it takes `details.ms` milliseconds.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <iq/plugin.h>

namespace {

class Overlap {
 public:
  static constexpr std::string_view kType = "test.overlap";

  explicit Overlap(const iq::Host& host) : file_(host.Setting("directory").value_or("")) {
    if (file_.empty()) throw std::invalid_argument("the setting directory is missing");
    if (std::filesystem::is_directory(file_)) file_ /= "overlap.log";
  }

  static void Plan(const iq::Command& command, iq::Plan& plan) { plan.Lock(Key(command)); }

  void Handle(const iq::Command& command, iq::Context& context) const {
    const std::string key = Key(command);
    Note("enter", key, command.id());
    std::this_thread::sleep_for(
        std::chrono::milliseconds(command.FindInteger("details.ms").value_or(0)));
    Note("leave", key, command.id());
    context.Emit("test.overlap", {{"userId", command.Integer("userId")}});
  }

 private:
  static std::string Key(const iq::Command& command) {
    return "overlap:" + std::to_string(command.Integer("userId"));
  }

  // One write of a short line in append mode: lines of several processes do not mix.
  void Note(std::string_view what, std::string_view key, std::string_view id) const {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    std::string line(what);
    line += ' ' + std::to_string(getpid()) + ' ';
    line += std::to_string(std::chrono::nanoseconds(now).count()) + ' ';
    line.append(key).append(" ").append(id).append("\n");
    constexpr mode_t kMode = 0644;
    const int file = open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
    if (file < 0) throw std::runtime_error("cannot open " + file_.string());
    const bool written = write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    close(file);
    if (!written) throw std::runtime_error("cannot write " + file_.string());
  }

  std::filesystem::path file_;
};

}  // namespace

IQ_PLUGIN("overlap", "1.0.0", Overlap)
