// The filters of `iq dead` as they are on the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/dead/dead_filter.h"

namespace iq::cli {

// --code, --type, --since and --until. The verb they are added to writes into the object.
class DeadFilterOptions {
 public:
  void AddTo(CLI::App& verb);

  // What they say as of `now`. Throws UsageError.
  DeadFilter Read(DeadFilter::Time now) const;
  DeadFilter Read() const;

 private:
  std::vector<std::string> codes_;
  std::vector<std::string> types_;
  std::optional<std::string> since_;
  std::optional<std::string> until_;
};

}  // namespace iq::cli
