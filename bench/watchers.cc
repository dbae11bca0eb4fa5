#include "bench/watchers.h"

#include <httplib.h>

#include <chrono>

namespace iq::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 20ms;
constexpr auto kPatience = 5s;  // Of a stream that sends once a second.

}  // namespace

Watchers::Watchers(int port, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this, port] { Watch(port); });
}

Watchers::~Watchers() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void Watchers::Watch(int port) {
  while (!stop_) {
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(kPatience);
    client.Get("/api/live", [this](const char*, std::size_t size) {
      bytes_ += size;
      return !stop_.load();
    });
    if (!stop_) std::this_thread::sleep_for(kPause);
  }
}

}  // namespace iq::bench
