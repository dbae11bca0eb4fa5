#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "host/broker/broker.h"

namespace iq {
namespace {

// How often one that cannot tell is asked.
constexpr std::chrono::milliseconds kAskAgain{5};

}  // namespace

void AwaitNews(const Consumer& consumer, const Publisher& publisher,
               std::chrono::milliseconds wait) {
  // poll() passes over those below zero.
  std::array<pollfd, 2> sources{
      {{consumer.news_fd(), POLLIN, 0}, {publisher.news_fd(), POLLIN, 0}}};
  const bool all_tell = std::all_of(sources.begin(), sources.end(),
                                    [](const pollfd& source) { return source.fd >= 0; });
  if (!all_tell) wait = std::min(wait, kAskAgain);
  poll(sources.data(), sources.size(), static_cast<int>(wait.count()));
}

}  // namespace iq
