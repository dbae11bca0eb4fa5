#include "host/cli/dead_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "host/base/uuid.h"
#include "host/cli/verbs.h"

namespace iq::cli {
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

TEST(DeadChoice, TakesALetterByItsIdAndByItsHash) {
  DeadChoice choice({{"a", "sha:ba7816bf8f01"}, false});
  EXPECT_TRUE(choice.Takes(Read("{}", "a")));
  EXPECT_TRUE(choice.Takes(Read("abc", "b")));
  EXPECT_FALSE(choice.Takes(Read("{}", "c")));
  EXPECT_EQ(choice.Report("billing.dead"), kDone);
}

TEST(DeadChoice, FailsForANameThatWasNotMet) {
  DeadChoice choice({{"a", "b"}, false});
  EXPECT_TRUE(choice.Takes(Read("{}", "a")));
  testing::internal::CaptureStderr();
  EXPECT_EQ(choice.Report("billing.dead"), kFailed);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "iq: billing.dead holds no message \"b\"; see `iq dead list`\n");
}

TEST(DeadChoice, TakesWhatIsNamedAndPassesTheFilter) {
  const Headers busy{{"x-iq-code", {std::string("lock_busy")}},
                     {"x-iq-outcome", {std::string("retry")}}};
  DeadChoice choice({.ids = {"a", "b"}, .filter = {.codes = {"lock_busy"}}});
  EXPECT_TRUE(choice.Takes(Read("{}", "a", busy)));
  EXPECT_FALSE(choice.Takes(Read("{}", "b")));
  EXPECT_FALSE(choice.Takes(Read("{}", "c", busy)));
  testing::internal::CaptureStderr();
  EXPECT_EQ(choice.Report("billing.dead"), kFailed);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "iq: billing.dead holds no message \"b\" that the filters let pass; see `iq dead "
            "list`\n");
}

TEST(DeadChoice, TakesByTheFilterAloneAndSaysWhereItTakesNone) {
  DeadChoice choice({.ids = {}, .filter = {.types = {"lock"}}});
  EXPECT_FALSE(choice.Takes(Read(R"({"type":"income"})", "a")));
  testing::internal::CaptureStderr();
  EXPECT_EQ(choice.Report("billing.dead"), kDone);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "none of the 1 in billing.dead is meant\n");
  EXPECT_TRUE(choice.Takes(Read(R"({"type":"lock"})", "b")));
}

TEST(DeadChoice, TakesNothingWithoutAWord) {
  EXPECT_FALSE(DeadChoice(DeadSelection{}).Takes(Read("", "")));
}

TEST(DeadChoice, TakesAll) { EXPECT_TRUE(DeadChoice({{}, true}).Takes(Read("", ""))); }

}  // namespace
}  // namespace iq::cli
