#include "host/dead/dead_batch.h"

#include <utility>

namespace iq {
namespace {

constexpr std::size_t kLettersMax = 256;
constexpr std::size_t kBytesMax = std::size_t{4} * 1024 * 1024;

}  // namespace

void DeadBatch::Add(DeadLetter letter) {
  bytes_ += letter.delivery.message.body.size();
  letters_.push_back(std::move(letter));
}

void DeadBatch::Clear() {
  letters_.clear();
  bytes_ = 0;
}

bool DeadBatch::full() const { return letters_.size() >= kLettersMax || bytes_ >= kBytesMax; }

}  // namespace iq
