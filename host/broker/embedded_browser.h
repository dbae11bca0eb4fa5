// Walks a queue in the broker's file: what it comes to is held, so nobody else is given it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "host/broker/broker.h"
#include "host/broker/embedded_endpoint.h"
#include "host/broker/embedded_holder.h"

namespace iq {

class EmbeddedBrowser : public Browser {
 public:
  // Throws Unavailable; UsageError where there is no such queue.
  EmbeddedBrowser(std::shared_ptr<const embedded::Endpoint> endpoint, std::string queue);
  ~EmbeddedBrowser() override;
  EmbeddedBrowser(const EmbeddedBrowser&) = delete;
  EmbeddedBrowser& operator=(const EmbeddedBrowser&) = delete;

  std::optional<Delivery> Next() override;
  // All of them, or none where it throws.
  void Remove(std::span<const std::uint64_t> tags) override;

 private:
  // What `call` returns; the walk is over where it fails.
  template <typename Call>
  auto OrBreakOff(Call call);
  void HoldMore();
  std::optional<Delivery> ReadNext();

  const std::shared_ptr<const embedded::Endpoint> endpoint_;
  const std::string queue_name_;
  std::unique_ptr<sqlite::Database> database_;  // None once the walk has broken off.
  std::unique_ptr<embedded::Holder> holder_;
  std::int64_t queue_ = 0;
  std::deque<std::int64_t> ahead_;  // Held, and not yet returned by Next().
  std::int64_t step_ = 1;
};

}  // namespace iq
