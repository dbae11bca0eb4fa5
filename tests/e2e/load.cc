#include "tests/e2e/load.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/commands.h"
#include "tests/support/eventually.h"

namespace iq::test {
namespace {

// Users of one installation are numbered on from load to load.
std::int64_t NextUser() {
  static std::int64_t last = 100'000;
  return ++last;
}

std::string ListOf(const std::vector<std::int64_t>& users) {
  return fmt::format("({})", fmt::join(users, ","));
}

}  // namespace

Load::Load(Installation& iq, LoadOptions options) : iq_(iq), options_(std::move(options)) {
  users_.reserve(options_.users);
  for (std::size_t i = 0; i < options_.users; ++i) {
    users_.push_back(NextUser());
    iq_.OpenAccount(users_.back(), 0);
  }
}

void Load::Publish(std::size_t count) {
  std::vector<AmqpPublishing> publishings;
  publishings.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t user = users_[ids_.size() % users_.size()];
    ids_.push_back(NewId());
    AmqpPublishing publishing{"billing", "", Body(options_.type, user, "1", options_.details), {}};
    publishing.properties.message_id = ids_.back();
    publishings.push_back(std::move(publishing));
  }
  iq_.broker().Publish(publishings);
}

std::size_t Load::Journalled() {
  return std::stoul(iq_.store().Value(
      "SELECT count(*) FROM iq.journal WHERE outcome = 'done' AND message_id IN " + SqlList(ids_)));
}

bool Load::Reaches(std::size_t count, std::chrono::milliseconds deadline) {
  return Eventually(deadline, [&] { return Journalled() >= count; });
}

void Load::ExpectEachOnce(std::chrono::seconds deadline) {
  ASSERT_TRUE(Reaches(ids_.size(), deadline)) << Journalled() << " of " << ids_.size() << "\n"
                                              << iq_.Log();
  EXPECT_EQ(SeeEvents(ids_.size(), deadline), ids_.size()) << "commands without an event";
  EXPECT_TRUE(iq_.Drained(deadline)) << "something is left in a queue";
  ExpectEffectsOf(ids_.size());
  EXPECT_EQ(iq_.DeadCount(), 0U);
}

void Load::ExpectEffectsOf(std::size_t count) {
  EXPECT_EQ(Journalled(), count);
  const std::string sum =
      iq_.store().Value("SELECT sum(sum) FROM balance WHERE user_id IN " + ListOf(users_));
  EXPECT_EQ(std::stoll(sum), static_cast<std::int64_t>(count) * options_.each);
  if (options_.type != "income") return;
  EXPECT_EQ(
      iq_.store().Value("SELECT count(*) FROM transaction_log WHERE user_id IN " + ListOf(users_)),
      std::to_string(count));
}

std::size_t Load::SeeEvents(std::size_t count, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (commands_with_event_.size() < count && std::chrono::steady_clock::now() < end) {
    SeeNextEvents(count - commands_with_event_.size());
  }
  return commands_with_event_.size();
}

std::size_t Load::SeeWaitingEvents() {
  SeeNextEvents(iq_.EventsWaiting());
  return events_taken_;
}

void Load::SeeNextEvents(std::size_t count) {
  for (const AmqpDelivery& event : iq_.NextEvents(count)) {
    ++events_taken_;
    const auto known = events_.emplace(event.properties.message_id, event.body).first;
    EXPECT_EQ(known->second, event.body) << "one event id, two bodies";
    commands_with_event_.insert(nlohmann::json::parse(event.body).at("commandId"));
  }
  EXPECT_EQ(events_.size(), commands_with_event_.size()) << "two event ids for one command";
}

}  // namespace iq::test
