// The journal as the page shows it: a search, and one command's whole life.
#pragma once

#include <nlohmann/json.hpp>

#include "host/admin/acts.h"
#include "host/admin/api.h"
#include "host/admin/dead_api.h"
#include "host/config.h"
#include "host/store/store.h"

namespace iq {

// Thread-safe. Throws ApiError, Unavailable and StoreError.
class CommandsApi {
 public:
  // All must outlive this object.
  CommandsApi(const Config& config, Store& store, const DeadApi& dead, const Acts& acts)
      : config_(config), store_(store), dead_(dead), acts_(acts) {}

  nlohmann::ordered_json Search(const ApiRequest& request) const;
  nlohmann::ordered_json Life(const ApiRequest& request) const;

 private:
  const Config& config_;
  Store& store_;
  const DeadApi& dead_;
  const Acts& acts_;
};

}  // namespace iq
