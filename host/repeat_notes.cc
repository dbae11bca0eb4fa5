#include "host/repeat_notes.h"

#include <fmt/format.h>

#include <utility>

#include "host/base/log.h"
#include "host/store/store.h"

namespace iq {
namespace {

constexpr std::chrono::seconds kKept{1};

}  // namespace

void RepeatNotes::Remember(const std::string& uuid) {
  if (uuids_.empty()) due_ = Clock::now() + kKept;
  uuids_.push_back(uuid);
}

void RepeatNotes::Write(bool idle) {
  if (uuids_.empty() || (!idle && Clock::now() < due_)) return;
  const std::vector<std::string> uuids = std::exchange(uuids_, {});
  try {
    journal_.NoteRepeats(uuids);
  } catch (const StoreError& error) {
    log::Debug(
        fmt::format("{} repeats are not noted in the journal: {}", uuids.size(), error.what()));
  }
}

}  // namespace iq
