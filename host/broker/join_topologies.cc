#include "host/broker/join_topologies.h"

#include <algorithm>
#include <vector>

namespace iq {
namespace {

template <typename Spec>
void ReplaceByName(std::vector<Spec>& specs, const std::vector<Spec>& more) {
  for (const auto& spec : more) {
    const auto same = std::find_if(specs.begin(), specs.end(),
                                   [&](const Spec& old) { return old.name == spec.name; });
    if (same == specs.end()) {
      specs.push_back(spec);
    } else {
      *same = spec;
    }
  }
}

bool Same(const BindingSpec& left, const BindingSpec& right) {
  return left.exchange == right.exchange && left.queue == right.queue &&
         left.routing_key == right.routing_key;
}

}  // namespace

Topology JoinTopologies(Topology base, const Topology& more) {
  ReplaceByName(base.exchanges, more.exchanges);
  ReplaceByName(base.queues, more.queues);
  for (const auto& binding : more.bindings) {
    const bool known = std::any_of(base.bindings.begin(), base.bindings.end(),
                                   [&](const auto& old) { return Same(old, binding); });
    if (!known) base.bindings.push_back(binding);
  }
  return base;
}

}  // namespace iq
