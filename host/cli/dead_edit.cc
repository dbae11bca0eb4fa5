// iq dead retry --edit: one letter goes back with another body.
//
// The letter is not held while the editor runs, which may be for hours: it is looked up again
// afterwards.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/temporary_directory.h"
#include "host/cli/dead.h"
#include "host/cli/dead_retrier.h"
#include "host/cli/dead_walk.h"
#include "host/cli/table.h"
#include "host/cli/text_editor.h"
#include "host/cli/verbs.h"
#include "host/signature.h"

namespace iq::cli {
namespace {

// Why nothing was done.
class NotEdited : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The letter that goes by this name; nothing, and a line on stderr, where there is none. Throws
// NotEdited where there are several that differ: each goes by its hash as well.
std::optional<DeadLetter> FindOne(const Config& config, Broker& broker, const std::string& id) {
  DeadWalk walk(broker, config);
  DeadChoice choice({.ids = {id}});
  std::optional<DeadLetter> found;
  while (auto letter = walk.Next()) {
    if (!choice.Takes(*letter)) continue;
    if (found && found->hash_name != letter->hash_name) {
      throw NotEdited(
          fmt::format("{} holds several messages \"{}\"; name one by its body: {} or {}",
                      config.dead_letter.queue, OneLine(id), found->hash_name, letter->hash_name));
    }
    if (!found) found = std::move(letter);
  }
  choice.Report(config.dead_letter.queue);
  return found;
}

std::string ReadAll(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw NotEdited(fmt::format("{} cannot be read", file.string()));
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Editors end a text with a newline.
std::string WithoutAddedNewline(std::string text, const std::string& before) {
  if (text.ends_with('\n') && !before.ends_with('\n')) text.pop_back();
  return text;
}

// What the user makes of `body` in `file`.
std::string AskEditor(const std::string& body, const std::filesystem::path& file) {
  std::ofstream stream(file, std::ios::binary);
  if (!(stream << body).flush()) {
    throw NotEdited(fmt::format("{} cannot be written", file.string()));
  }
  const int status = EditFile(file);
  if (status != 0) throw NotEdited(fmt::format("the editor ended with status {}", status));
  std::string edited = WithoutAddedNewline(ReadAll(file), body);
  if (edited == body) throw NotEdited("the body was not changed");
  return edited;
}

// A signature is of one id and one body.
void SignAnew(Message& message, const SecurityConfig& security) {
  const auto header = message.headers.find(kSignatureHeader);
  if (header == message.headers.end()) return;
  if (security.keys.empty() || !IsSignable(message.message_id)) {
    message.headers.erase(header);
  } else {
    header->second = {SignatureOf(message, security.keys.front())};
  }
}

// Throws NotEdited where the host would not take `edited` as the command that `letter` was.
void CheckEdited(const DeadLetter& edited, const DeadLetter& letter) {
  if (!edited.fault.empty()) throw NotEdited(OneLine(edited.fault));
  if (letter.journal_uuid.empty() || edited.journal_uuid == letter.journal_uuid) return;
  throw NotEdited("the body has another \"id\", which makes it another command: use `iq send`");
}

bool IsSame(const DeadLetter& a, const DeadLetter& b) {
  return a.name == b.name && a.at == b.at && a.delivery.message.body == b.delivery.message.body;
}

// A letter and the walk that holds it.
struct Held {
  std::unique_ptr<DeadWalk> walk;
  std::optional<DeadLetter> letter;
};

// What an earlier walk has held may still be on its way back to the queue.
Held FindAgain(const Config& config, Broker& broker, const DeadLetter& letter) {
  constexpr std::chrono::seconds kPatience{2};
  constexpr std::chrono::milliseconds kPause{100};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    Held held{std::make_unique<DeadWalk>(broker, config), {}};
    // To the end, which leaves the others in their places.
    while (auto each = held.walk->Next()) {
      if (!held.letter && IsSame(*each, letter)) held.letter = std::move(each);
    }
    if (held.letter) return held;
    if (std::chrono::steady_clock::now() >= deadline) {
      throw NotEdited(fmt::format("it has left {} meanwhile", config.dead_letter.queue));
    }
    held.walk.reset();
    std::this_thread::sleep_for(kPause);
  }
}

int RetryWith(const Config& config, Broker& broker, const DeadLetter& letter,
              const std::string& body, bool json) {
  Held held = FindAgain(config, broker, letter);
  Delivery delivery = std::move(held.letter->delivery);
  delivery.message.body = body;
  SignAnew(delivery.message, config.security);
  std::vector<DeadLetter> edited;
  edited.push_back(held.walk->Read(std::move(delivery)));
  CheckEdited(edited.front(), letter);
  DeadRetrier retrier(config, broker);
  if (retrier.WouldConflict(edited.front())) {
    throw NotEdited(
        "the journal has an outcome of another body for this id, so that this one would be refused "
        "as id_conflict: use `iq send` with another id");
  }
  const auto retried = retrier.Retry(edited);
  held.walk->Remove(edited);
  PrintRetried(edited.front(), retried.front(), json);
  return kDone;
}

int Refused(const NotEdited& why, const std::string& id) {
  fmt::print(stderr, "iq: {}: {}; nothing was changed\n", OneLine(id), why.what());
  return kFailed;
}

}  // namespace

int RetryEdited(const Config& config, const std::string& id, bool json) {
  const auto broker = OpenBroker(config.broker.url, "iq dead retry");
  TemporaryDirectory directory("edit");
  const std::filesystem::path file = directory.path() / "body.json";
  std::optional<DeadLetter> letter;
  std::string body;
  try {
    letter = FindOne(config, *broker, id);
    if (!letter) return kFailed;
    body = AskEditor(letter->delivery.message.body, file);
  } catch (const NotEdited& why) {
    return Refused(why, id);
  }
  directory.Keep();  // What somebody has written is not thrown away because it does not fit.
  try {
    const int status = RetryWith(config, *broker, *letter, body, json);
    std::error_code ignored;
    std::filesystem::remove_all(directory.path(), ignored);
    return status;
  } catch (const NotEdited& why) {
    return Refused(NotEdited(fmt::format("{}; your text is in {}", why.what(), file.string())), id);
  } catch (const std::exception&) {
    fmt::print(stderr, "iq: {}: your text is in {}\n", OneLine(id), file.string());
    throw;
  }
}

}  // namespace iq::cli
