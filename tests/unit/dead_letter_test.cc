#include "host/dead/dead_letter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "host/base/uuid.h"

namespace iq {
namespace {

using testing::StartsWith;

DeadLetter Read(std::string body, std::string message_id = {}, Headers headers = {}) {
  Delivery delivery;
  delivery.message.body = std::move(body);
  delivery.message.message_id = std::move(message_id);
  delivery.message.headers = std::move(headers);
  return ReadDeadLetter(std::move(delivery), Config{});
}

TEST(DeadLetter, GoesByItsMessageId) {
  const DeadLetter letter = Read(R"({"type":"income","id":"in the body"})", "a");
  EXPECT_EQ(letter.name, "a");
  EXPECT_EQ(letter.journal_uuid, UuidOfMessageId("a"));
}

TEST(DeadLetter, GoesByTheIdInItsBodyWithoutAMessageId) {
  const DeadLetter letter = Read(R"({"type":"income","id":"in the body"})");
  EXPECT_EQ(letter.name, "in the body");
  EXPECT_EQ(letter.journal_uuid, UuidOfMessageId("in the body"));
  EXPECT_EQ(letter.type, "income");
}

TEST(DeadLetter, GoesByTheHashOfItsBodyWithoutAnyId) {
  const DeadLetter letter = Read("abc");
  EXPECT_EQ(letter.name, "sha:ba7816bf8f01");
  EXPECT_EQ(letter.name, letter.hash_name);
  EXPECT_EQ(letter.journal_uuid, "");
  EXPECT_EQ(Read(R"({"type":"income"})").journal_uuid, "");
}

TEST(DeadLetter, IsNotInTheJournalWhenItIsNoCommand) {
  EXPECT_EQ(Read("{", "a").name, "a");
  EXPECT_EQ(Read("{", "a").journal_uuid, "");
}

TEST(DeadLetter, SaysWhyItIsNoCommand) {
  EXPECT_EQ(Read(R"({"type":"income"})", "a").fault, "");
  EXPECT_THAT(Read("{", "a").fault, StartsWith("malformed: "));
  EXPECT_THAT(Read("{}", "a").fault, StartsWith("schema: type"));
}

TEST(DeadLetter, IsNamelessWhenItIsACommandWithoutAnId) {
  EXPECT_TRUE(Read(R"({"type":"income"})").nameless);
  EXPECT_FALSE(Read(R"({"type":"income"})", "a").nameless);
  EXPECT_FALSE(Read("{").nameless) << "it cannot be carried out";
}

TEST(DeadLetter, TellsWhatItsHeadersSay) {
  const auto text = [](const char* value) { return HeaderValue{std::string(value)}; };
  const DeadLetter letter = Read("{", "a",
                                 {{"x-iq-type", text("lock")},
                                  {"x-iq-code", text("malformed")},
                                  {"x-iq-outcome", text("invalid")},
                                  {"x-iq-attempts", {std::int64_t{2}}},
                                  {"x-iq-queue", text("orders")},
                                  {"x-first-death-queue", text("orders.delay.1000ms")}});
  EXPECT_EQ(letter.type, "lock");
  EXPECT_EQ(letter.code, "malformed");
  EXPECT_EQ(letter.outcome, "invalid");
  EXPECT_EQ(letter.attempts, 2);
  EXPECT_EQ(letter.queue, "orders");
}

Headers BrokersWord(const char* queue) {
  return {{"x-first-death-reason", {std::string("delivery_limit")}},
          {"x-first-death-queue", {std::string(queue)}}};
}

TEST(DeadLetter, TellsWhatTheBrokerSaysWhereItMovedTheMessageItself) {
  const DeadLetter letter = Read(R"({"type":"income"})", "a", BrokersWord("billing"));
  EXPECT_EQ(letter.code, "delivery_limit");
  EXPECT_EQ(letter.queue, "billing");
}

TEST(DeadLetter, DoesNotComeFromAQueueThatItOnlyWaitedIn) {
  EXPECT_EQ(Read(R"({"type":"income"})", "a", BrokersWord("billing.delay.1000ms")).queue, "");
}

}  // namespace
}  // namespace iq
