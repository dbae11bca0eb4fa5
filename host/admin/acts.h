// What has been done from the page, and by whom: the rows of iq.audit.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/admin/api.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe: a session for each call. Throws Unavailable and StoreError.
class Acts {
 public:
  // `store` must outlive this object.
  explicit Acts(Store& store) : store_(store) {}

  struct Act {
    std::string who;
    std::string action;
    std::string about;  // A message id; empty where it is about none, or many.
    nlohmann::ordered_json detail = nlohmann::ordered_json::object();
  };
  // Before the act: it must not be done where this throws.
  std::int64_t Begin(const Act& act) const;
  // What came of it: "done", "failed" or "stopped". That it cannot be written is a warning: the act
  // has been done.
  void End(std::int64_t id, const std::string& state, const std::string& result) const;

  nlohmann::ordered_json List(const ApiRequest& request) const;
  nlohmann::ordered_json About(const std::string& id) const;

 private:
  Store& store_;
};

}  // namespace iq
