#include "host/trace/span_exporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "host/base/log.h"
#include "host/metrics.h"
#include "host/version.h"

namespace iq {
namespace {

using namespace std::chrono_literals;

constexpr auto kSendEvery = 1s;
constexpr auto kFlushMax = 1s;
constexpr auto kInterruptEvery = 20ms;

std::vector<Attribute> ResourceOf(const TracingConfig& config) {
  std::vector<Attribute> resource;
  for (const auto& [key, value] : config.resource) resource.push_back({key, value});
  const auto add = [&resource](Attribute attribute) {
    const bool known = std::any_of(resource.begin(), resource.end(), [&](const Attribute& each) {
      return each.key == attribute.key;
    });
    if (!known) resource.push_back(std::move(attribute));
  };
  add({"service.version", std::string(kVersion)});
  add({"process.pid", std::int64_t{getpid()}});
  return resource;
}

std::size_t CountSpans(const std::vector<CommandTrace>& batch) {
  std::size_t spans = 0;
  for (const CommandTrace& trace : batch) spans += SpanCount(trace);
  return spans;
}

}  // namespace

SpanExporter::SpanExporter(const TracingConfig& config, std::string messaging_system)
    : messaging_system_(std::move(messaging_system)),
      resource_(ResourceOf(config)),
      collector_(config),
      thread_([this] { Run(); }) {}

SpanExporter::~SpanExporter() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  work_.notify_one();
  ended_.wait_for(lock, kFlushMax, [this] { return has_ended_; });
  time_is_up_ = true;
  while (!has_ended_) {
    lock.unlock();
    collector_.Interrupt();
    lock.lock();
    ended_.wait_for(lock, kInterruptEvery, [this] { return has_ended_; });
  }
  lock.unlock();
  thread_.join();
}

void SpanExporter::Export(CommandTrace trace) {
  const std::size_t spans = SpanCount(trace);
  const std::lock_guard lock(mutex_);
  if (queued_spans_ + spans > kQueueMax) {
    Metrics::OfThisProcess().CountSpansDropped(spans);
    return;
  }
  const bool was_short = queued_spans_ < kBatchMax;
  queued_spans_ += spans;
  queue_.push_back(std::move(trace));
  if (was_short && queued_spans_ >= kBatchMax) work_.notify_one();
}

void SpanExporter::Run() {
  std::vector<CommandTrace> batch;  // Kept until it is taken, or refused.
  std::unique_lock lock(mutex_);
  while (true) {
    AwaitWork(lock, !batch.empty());
    if (batch.empty()) batch = TakeBatch();
    if (stopping_ && (batch.empty() || collector_.away() || time_is_up_)) break;
    if (batch.empty()) continue;
    lock.unlock();
    const Collector::Answer answer = Send(batch);
    if (answer == Collector::Answer::kRefused) {
      Metrics::OfThisProcess().CountSpansDropped(CountSpans(batch));
    }
    if (answer != Collector::Answer::kAway) batch.clear();
    lock.lock();
  }
  DropRest(batch);
  has_ended_ = true;
  ended_.notify_one();
}

// Where there is nothing to send, that the next attempt is due is no reason to wake up.
void SpanExporter::AwaitWork(std::unique_lock<std::mutex>& lock, bool keeps_batch) {
  if (collector_.away() && (keeps_batch || !queue_.empty())) {
    work_.wait_for(lock, collector_.UntilNextAttempt(), [this] { return stopping_; });
  } else {
    work_.wait_for(lock, kSendEvery, [this] { return stopping_ || queued_spans_ >= kBatchMax; });
  }
}

std::vector<CommandTrace> SpanExporter::TakeBatch() {
  std::vector<CommandTrace> batch;
  std::size_t spans = 0;
  while (!queue_.empty()) {
    const std::size_t more = SpanCount(queue_.front());
    if (spans + more > kBatchMax) break;
    spans += more;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_spans_ -= spans;
  return batch;
}

Collector::Answer SpanExporter::Send(const std::vector<CommandTrace>& batch) {
  const ClockReading clocks;
  std::vector<Span> spans;
  for (const CommandTrace& trace : batch) {
    for (Span& span : SpansOf(trace, messaging_system_, clocks)) spans.push_back(std::move(span));
  }
  return collector_.Post(OtlpJson(spans, resource_));
}

void SpanExporter::DropRest(const std::vector<CommandTrace>& batch) {
  const std::size_t spans = queued_spans_ + CountSpans(batch);
  queue_.clear();
  queued_spans_ = 0;
  if (spans == 0) return;
  Metrics::OfThisProcess().CountSpansDropped(spans);
  log::Warn(fmt::format("{} spans were not taken by their collector before the end", spans));
}

}  // namespace iq
