// A process of its own for a plugin that may crash, hang or exhaust memory: it costs that process.
//
// The child is this program under another verb. It reads what it is given from standard input and
// reports on standard output, so that its parent can tell what it was about to do when it died.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace iq {

// A child that runs.
class PluginChild {
 public:
  struct Task {
    std::string program;
    std::vector<std::string> arguments;
    std::string input;
    std::chrono::seconds patience;  // From the start to the end.
    std::size_t result_bytes_max = 1000;
  };

  struct End {
    std::optional<std::string>
        fault;           // A sentence about "it", the plugin; empty where all is well.
    std::string result;  // What the child had to say all the same.
  };

  explicit PluginChild(const Task& task);
  PluginChild(PluginChild&& other) noexcept;
  PluginChild& operator=(PluginChild&&) = delete;
  ~PluginChild();

  // Waits for the end, within the patience of the start. Call once.
  End Wait();

 private:
  void Start(const Task& task, int input);
  bool AwaitEnd(int* status);
  std::string ReadReport() const;

  std::chrono::seconds patience_;
  std::size_t result_bytes_max_;
  std::chrono::steady_clock::time_point deadline_;
  pid_t child_ = -1;
  int report_ = -1;      // A file in memory that the child writes to.
  std::string failure_;  // Why there is no child.
};

// What the child does. Call where no other thread runs.
namespace plugin_child {

// Limits this process, calls `work` with the whole of standard input, reports what it throws, and
// ends the process without the destructors of static objects: the host leaves plugins mapped until
// its own end. `patience` is the parent's.
[[noreturn]] void Run(std::chrono::seconds patience,
                      const std::function<void(const std::string& input)>& work);

// For the case that it does not return: what `work` is about to do, as in "its init".
void Step(const std::string& what);

// One line for PluginChild::End::result.
void Result(const std::string& text);

}  // namespace plugin_child

}  // namespace iq
