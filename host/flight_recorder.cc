#include "host/flight_recorder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "host/base/log.h"

namespace iq {
namespace {

constexpr std::array<char, 8> kMagic{'i', 'q', 'f', 'l', 'i', 'g', 'h', 't'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kBootIdBytes = 36;
// Byte 0 of the lock file is not a process's.
constexpr std::uint64_t kFirstPlace = 1;
constexpr std::uint64_t kLastPlace = (std::uint64_t{1} << 62U) - 1;

struct FileHead {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t slots;
  std::uint32_t commands_max;
  std::uint32_t pid;
  std::uint64_t stopping;
  std::array<char, kBootIdBytes> boot_id;
  std::array<char, 60> reserved;
};
static_assert(sizeof(FileHead) == 128);

struct SlotBody {
  std::uint32_t call;
  std::uint32_t count;
  std::uint32_t plugin_bytes;
  std::array<char, 108> plugin;
};
constexpr std::size_t kNumberBytes = sizeof(std::uint64_t);
constexpr std::size_t kSlotHeadBytes = kNumberBytes + sizeof(SlotBody);
static_assert(kSlotHeadBytes == 128);

struct Entry {
  std::uint32_t first_event_index;
  std::uint16_t identity_bytes;
  std::uint16_t id_bytes;
  std::array<char, 64> identity;
  std::array<char, 56> id;
};
static_assert(sizeof(Entry) == 128);

using Word = std::uint64_t;

// Word by word, because others may read at the same time; the call number tells them what to
// believe.
void Store(std::byte* to, const void* from, std::size_t bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  for (std::size_t at = 0; at < bytes; at += sizeof(Word)) {
    Word word = 0;
    std::memcpy(&word, source + at, sizeof word);
    std::atomic_ref(*reinterpret_cast<Word*>(to + at)).store(word, std::memory_order_relaxed);
  }
}

void Load(void* to, std::byte* from, std::size_t bytes) {
  auto* target = static_cast<std::byte*>(to);
  for (std::size_t at = 0; at < bytes; at += sizeof(Word)) {
    const Word word =
        std::atomic_ref(*reinterpret_cast<Word*>(from + at)).load(std::memory_order_relaxed);
    std::memcpy(target + at, &word, sizeof word);
  }
}

std::atomic_ref<Word> NumberIn(std::byte* slot) {
  return std::atomic_ref(*reinterpret_cast<Word*>(slot));
}

std::atomic_ref<Word> StoppingIn(std::byte* file) {
  return std::atomic_ref(reinterpret_cast<FileHead*>(file)->stopping);
}

// Returns how much of `text` there was room for.
template <std::size_t N>
std::size_t CopyCut(std::array<char, N>& to, std::size_t at, std::string_view text) {
  const std::size_t bytes = std::min(text.size(), N - at);
  std::copy_n(text.data(), bytes, to.data() + at);
  return bytes;
}

std::string_view IdentityOf(const Command& command) {
  return command.has_id ? command.uuid : command.payload_hash;
}

std::string JoinIdentity(std::string_view identity, std::uint32_t first_event_index) {
  return fmt::format("{}.{}", identity, first_event_index);
}

// It becomes part of a file's name.
bool IsIdentity(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

Entry EntryOf(const Command& command) {
  Entry entry{};
  entry.first_event_index = command.first_event_index;
  entry.identity_bytes =
      static_cast<std::uint16_t>(CopyCut(entry.identity, 0, IdentityOf(command)));
  if (command.has_id) {
    entry.id_bytes = static_cast<std::uint16_t>(CopyCut(entry.id, 0, command.id));
  }
  return entry;
}

std::optional<NotedCommand> CommandOf(const Entry& entry) {
  if (entry.identity_bytes > entry.identity.size() || entry.id_bytes > entry.id.size()) {
    return std::nullopt;
  }
  const std::string_view identity(entry.identity.data(), entry.identity_bytes);
  if (!IsIdentity(identity)) return std::nullopt;
  return NotedCommand{JoinIdentity(identity, entry.first_event_index),
                      std::string(entry.id.data(), entry.id_bytes)};
}

std::string BootId() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  id.resize(kBootIdBytes);
  return id;
}

std::size_t FileBytes(FlightRecorder::Size size) {
  return sizeof(FileHead) + size.slots * FlightSlot::Bytes(size.commands_max);
}

std::string RecorderPath(const std::string& folder, std::uint64_t place) {
  return fmt::format("{}/{:016x}{}", folder, place, kRecorderExtension);
}

}  // namespace

std::string_view PluginCallName(PluginCall call) {
  switch (call) {
    case PluginCall::kCreate:
      return "create";
    case PluginCall::kPlan:
      return "plan";
    case PluginCall::kHandle:
      return "handle";
    case PluginCall::kHandleBatch:
      return "handle_batch";
    case PluginCall::kNone:
      break;
  }
  return "none";
}

std::string CrashIdentity(const Command& command) {
  return JoinIdentity(IdentityOf(command), command.first_event_index);
}

std::string Describe(const Note& note) {
  std::string ids;
  for (const NotedCommand& command : note.commands) {
    if (!ids.empty()) ids += ", ";
    ids += command.id.empty() ? "(without id, body " + command.identity + ")" : command.id;
  }
  return fmt::format("{} of {} with {} {}", PluginCallName(note.call), note.plugin,
                     note.commands.size() == 1 ? "message" : "messages", ids);
}

FlightSlot::FlightSlot(std::byte* memory, std::uint32_t commands_max)
    : memory_(memory), commands_max_(commands_max) {}

std::size_t FlightSlot::Bytes(std::uint32_t commands_max) {
  return kSlotHeadBytes + commands_max * sizeof(Entry);
}

void FlightSlot::Begin(PluginCall call, std::string_view plugin, std::string_view version,
                       std::span<const Command* const> commands) noexcept {
  SlotBody body{};
  body.call = static_cast<std::uint32_t>(call);
  std::size_t bytes = CopyCut(body.plugin, 0, plugin);
  bytes += CopyCut(body.plugin, bytes, "/");
  bytes += CopyCut(body.plugin, bytes, version);
  body.plugin_bytes = static_cast<std::uint32_t>(bytes);
  body.count = static_cast<std::uint32_t>(std::min<std::size_t>(commands.size(), commands_max_));
  Store(memory_ + kNumberBytes, &body, sizeof body);
  std::byte* at = memory_ + kSlotHeadBytes;
  for (const Command* command : commands.first(body.count)) {
    const Entry entry = EntryOf(*command);
    Store(at, &entry, sizeof entry);
    at += sizeof entry;
  }
  NumberIn(memory_).store(++calls_, std::memory_order_release);
}

void FlightSlot::End() noexcept {
  NumberIn(memory_).store(0, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // Before what the next Begin writes.
}

std::uint64_t FlightSlot::number() const {
  return NumberIn(memory_).load(std::memory_order_acquire);
}

Note FlightSlot::Read() const {
  Note note;
  note.number = number();
  if (note.number == 0) return {};
  SlotBody body{};
  Load(&body, memory_ + kNumberBytes, sizeof body);
  const bool known = body.call > static_cast<std::uint32_t>(PluginCall::kNone) &&
                     body.call <= static_cast<std::uint32_t>(PluginCall::kHandleBatch);
  if (!known || body.count > commands_max_ || body.plugin_bytes > body.plugin.size()) return {};
  note.call = static_cast<PluginCall>(body.call);
  note.plugin.assign(body.plugin.data(), body.plugin_bytes);
  for (std::uint32_t i = 0; i < body.count; ++i) {
    Entry entry{};
    Load(&entry, memory_ + kSlotHeadBytes + i * sizeof entry, sizeof entry);
    auto command = CommandOf(entry);
    if (!command) return {};
    note.commands.push_back(std::move(*command));
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  if (NumberIn(memory_).load(std::memory_order_relaxed) != note.number) return {};
  return note;
}

FlightRecorder::FlightRecorder(const std::string& folder, Size size)
    : size_(size), memory_(OpenFile(folder, FileBytes(size))) {
  for (std::uint32_t i = 0; i < size.slots; ++i) {
    slots_.emplace_back(
        memory_.data() + sizeof(FileHead) + i * FlightSlot::Bytes(size.commands_max),
        size.commands_max);
  }
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) free_.push_back(&*slot);
  FileHead head{};
  head.version = kVersion;
  head.slots = size.slots;
  head.commands_max = size.commands_max;
  head.pid = static_cast<std::uint32_t>(getpid());
  CopyCut(head.boot_id, 0, BootId());
  Store(memory_.data(), &head, sizeof head);
  // Last: a file without it has nothing to say.
  std::atomic_thread_fence(std::memory_order_release);
  Store(memory_.data(), kMagic.data(), kMagic.size());
}

// The byte first, so that nobody ever sees the file of a living process without it.
MappedFile FlightRecorder::OpenFile(const std::string& folder, std::size_t bytes) {
  try {
    locks_ = std::make_unique<LockFile>(FlightLockPath(folder));
    std::random_device random;
    std::uniform_int_distribution<std::uint64_t> places(kFirstPlace, kLastPlace);
    std::uint64_t place = places(random);
    while (!locks_->TryLock(place)) place = places(random);
    path_ = RecorderPath(folder, place);
    MappedFile file = MappedFile::Open(path_, bytes, MappedFile::Mode::kNew);
    folder_ = folder;
    return file;
  } catch (const std::exception& error) {
    log::Warn(fmt::format(
        "plugins.flight_recorder: {} cannot be written ({}): should a plugin bring this process "
        "down, nobody will know which message did it; let the host's user write there",
        folder, error.what()));
    path_.clear();
    locks_.reset();
    return MappedFile::Anonymous(bytes);
  }
}

FlightRecorder::~FlightRecorder() {
  if (path_.empty()) return;
  std::error_code ignored;  // Whoever takes it over then finds no note in it.
  std::filesystem::remove(path_, ignored);
}

std::shared_ptr<FlightSlot> FlightRecorder::Claim() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) {
    log::Warn(
        "plugins.flight_recorder: more workers than slots: should a plugin bring this process down "
        "in the hands of one more, nobody will know which message did it");
    return nullptr;
  }
  FlightSlot* const slot = free_.back();
  free_.pop_back();
  return {slot, [this](FlightSlot* claimed) {
            const std::lock_guard back(mutex_);
            free_.push_back(claimed);
          }};
}

void FlightRecorder::NoteStopping() { StoppingIn(memory_.data()).store(1); }

void FlightRecorder::AccuseOnly(const FlightSlot& slot) {
  for (FlightSlot& each : slots_) {
    if (&each != &slot) each.End();
  }
}

std::optional<Recording> ReadRecorder(const std::string& path) {
  std::optional<MappedFile> file;
  try {
    file.emplace(MappedFile::OpenToRead(path));
  } catch (const std::system_error&) {
    return std::nullopt;  // Its process has just ended in order, or somebody has taken it over.
  }
  FileHead head{};
  if (file->size() < sizeof head) return std::nullopt;
  Load(&head, file->data(), sizeof head);
  if (head.magic != kMagic || head.version != kVersion) return std::nullopt;
  const std::size_t slot_bytes = FlightSlot::Bytes(head.commands_max);
  if ((file->size() - sizeof head) / slot_bytes < head.slots) return std::nullopt;
  Recording recording;
  recording.pid = head.pid;
  recording.stopping = head.stopping != 0;
  recording.of_this_boot = BootId() == std::string_view(head.boot_id.data(), kBootIdBytes);
  for (std::uint32_t i = 0; i < head.slots; ++i) {
    Note note = FlightSlot(file->data() + sizeof head + i * slot_bytes, head.commands_max).Read();
    if (note.number != 0) recording.notes.push_back(std::move(note));
  }
  return recording;
}

std::string FlightLockPath(const std::string& folder) { return folder + "/locks"; }

std::optional<std::uint64_t> PlaceOfRecorder(const std::string& path) {
  const std::filesystem::path file(path);
  if (file.extension() != kRecorderExtension) return std::nullopt;
  const std::string name = file.stem();
  std::uint64_t place = 0;
  constexpr int kHex = 16;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), place, kHex);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  if (!whole || place < kFirstPlace || place > kLastPlace) return std::nullopt;
  return place;
}

}  // namespace iq
