#include "host/dead/dead_edit.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/terminal_text.h"
#include "host/dead/dead_choice.h"
#include "host/dead/dead_walk.h"
#include "host/signature.h"

namespace iq {
namespace {

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

}  // namespace

std::optional<DeadLetter> FindDeadLetter(const Config& config, Broker& broker,
                                         const std::string& name, const std::string& hash_name) {
  DeadWalk walk(broker, config);
  DeadChoice choice({.ids = {name}});
  std::optional<DeadLetter> found;
  while (auto letter = walk.Next()) {
    if (!hash_name.empty() && letter->hash_name != hash_name) continue;
    if (!choice.Takes(*letter)) continue;
    if (found && found->hash_name != letter->hash_name) {
      throw NotEdited(fmt::format(
          "{} holds several messages \"{}\"; name one by its body: {} or {}",
          config.dead_letter.queue, OneLine(name), found->hash_name, letter->hash_name));
    }
    if (!found) found = std::move(letter);
  }
  return found;
}

RetriedLetter RetryEdited(const Config& config, Broker& broker, const DeadLetter& letter,
                          const std::string& body) {
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
  RetriedLetter retried = retrier.Retry(edited).front();
  held.walk->Remove(edited);
  return retried;
}

}  // namespace iq
