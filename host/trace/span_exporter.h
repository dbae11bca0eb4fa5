// Hands spans to the collector, in a thread of its own: no command waits for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/config.h"
#include "host/trace/collector.h"
#include "host/trace/command_trace.h"
#include "host/trace/span.h"

namespace iq {

class SpanExporter {
 public:
  static constexpr std::size_t kQueueMax = 2048;  // Spans that wait.
  static constexpr std::size_t kBatchMax = 512;   // Spans in a request.

  // `config` must name a collector; `messaging_system` is for SpansOf.
  SpanExporter(const TracingConfig& config, std::string messaging_system);
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;
  // Sends what waits, for a second at most; what is then left is dropped.
  ~SpanExporter();

  // Any thread. Never waits: what finds no room is dropped, and counted.
  void Export(CommandTrace trace);

 private:
  void Run();
  void AwaitWork(std::unique_lock<std::mutex>& lock, bool keeps_batch);
  std::vector<CommandTrace> TakeBatch();
  Collector::Answer Send(const std::vector<CommandTrace>& batch);
  void DropRest(const std::vector<CommandTrace>& batch);

  const std::string messaging_system_;
  const std::vector<Attribute> resource_;
  Collector collector_;

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable work_;
  std::condition_variable ended_;
  std::deque<CommandTrace> queue_;
  std::size_t queued_spans_ = 0;
  bool stopping_ = false;
  bool time_is_up_ = false;
  bool has_ended_ = false;

  std::thread thread_;
};

}  // namespace iq
