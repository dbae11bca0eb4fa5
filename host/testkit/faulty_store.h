// A store whose statements fail where a test wants them to.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/store/store.h"

namespace iq {

// Which statements fail, and how. Thread-safe.
class SqlFaults {
 public:
  // The next `times` statements that contain `text`.
  void Add(std::string text, StoreError::Kind kind, int times);

  // The failure that is due for `sql`, if one is; it counts as used.
  std::optional<StoreError> Take(std::string_view sql);

 private:
  struct Fault {
    std::string text;
    StoreError::Kind kind;
    int times;
  };
  std::mutex mutex_;
  std::vector<Fault> faults_;
};

// The statements of handlers go through `faults`, which must outlive it; iq's own do not.
std::unique_ptr<Store> MakeFaulty(std::unique_ptr<Store> store, SqlFaults& faults);

}  // namespace iq
