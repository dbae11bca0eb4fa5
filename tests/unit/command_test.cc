#include "host/command.h"

#include <gtest/gtest.h>

#include <chrono>

#include "host/outgoing.h"
#include "host/signature.h"

namespace iq {
namespace {

Delivery Carrying(std::string body, std::string message_id = {}) {
  Delivery delivery;
  delivery.message.body = std::move(body);
  delivery.message.message_id = std::move(message_id);
  return delivery;
}

std::unique_ptr<Command> Accepted(Delivery delivery, const Config& config = {}) {
  Decoded decoded = Decode(std::move(delivery), config);
  auto* command = std::get_if<std::unique_ptr<Command>>(&decoded);
  if (command == nullptr) {
    ADD_FAILURE() << std::get<Refusal>(decoded).reason;
    return nullptr;
  }
  return std::move(*command);
}

std::string CodeOf(Delivery delivery, const Config& config = {}) {
  const Decoded decoded = Decode(std::move(delivery), config);
  const auto* refusal = std::get_if<Refusal>(&decoded);
  return refusal == nullptr ? "ok" : refusal->code;
}

TEST(Decode, TheMessageIdPropertyComesBeforeTheBodysId) {
  const auto command = Accepted(Carrying(R"({"type":"t","id":"in body"})", "as property"));
  EXPECT_EQ(command->id, "as property");
  EXPECT_TRUE(command->has_id);
  EXPECT_EQ(Accepted(Carrying(R"({"type":"t","id":"in body"})"))->id, "in body");
}

TEST(Decode, AUuidIsItsOwnKeyAndAnyOtherIdGetsOne) {
  const std::string uuid = "6BA7B810-9dad-11d1-80b4-00c04fd430c8";
  EXPECT_EQ(Accepted(Carrying(R"({"type":"t"})", uuid))->uuid,
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  // Python: uuid.uuid5(uuid.NAMESPACE_OID, "order-17")
  EXPECT_EQ(Accepted(Carrying(R"({"type":"t"})", "order-17"))->uuid,
            "c4da1c9b-1a20-5db2-94f5-9c3c91012b1c");
}

TEST(Decode, WithoutAnIdItIsProcessedUnderARandomOne) {
  for (const char* body :
       {R"({"type":"t"})", R"({"type":"t","id":""})", R"({"type":"t","id":5})"}) {
    const auto command = Accepted(Carrying(body));
    EXPECT_FALSE(command->has_id);
    EXPECT_EQ(command->id.size(), 36U);
    EXPECT_EQ(command->id, command->uuid);
  }
}

TEST(Decode, RequireIdRefusesWhatHasNone) {
  Config config;
  config.inbox.require_id = true;
  EXPECT_EQ(CodeOf(Carrying(R"({"type":"t"})"), config), "no_id");
  EXPECT_EQ(CodeOf(Carrying(R"({"type":"t"})", "x"), config), "ok");
}

TEST(Decode, AnIdOfMoreThan255BytesIsRefused) {
  EXPECT_EQ(CodeOf(Carrying(R"({"type":"t","id":")" + std::string(255, 'x') + "\"}")), "ok");
  EXPECT_EQ(CodeOf(Carrying(R"({"type":"t","id":")" + std::string(256, 'x') + "\"}")), "schema");
}

TEST(Decode, ABodyOverTheLimitIsNotParsed) {
  Config config;
  config.limits.message = 20;
  EXPECT_EQ(CodeOf(Carrying(std::string(20, '{')), config), "malformed");
  EXPECT_EQ(CodeOf(Carrying(std::string(21, '{')), config), "too_large");
}

Config Signed(bool required) {
  Config config;
  config.security = {.require_signature = required, .keys = {"one", "two"}};
  return config;
}

Delivery SignedWith(const char* key, Delivery delivery) {
  delivery.message.headers[kSignatureHeader] = {SignatureOf(delivery.message, key)};
  return delivery;
}

TEST(Decode, ASignatureThatMatchesNoKeyIsRefused) {
  const Delivery plain = Carrying(R"({"type":"t"})", "an id");
  EXPECT_EQ(CodeOf(SignedWith("three", plain)), "ok");
  for (const bool required : {false, true}) {
    EXPECT_EQ(CodeOf(SignedWith("one", plain), Signed(required)), "ok");
    EXPECT_EQ(CodeOf(SignedWith("two", plain), Signed(required)), "ok");
    EXPECT_EQ(CodeOf(SignedWith("three", plain), Signed(required)), "bad_signature");
  }
}

TEST(Decode, AMissingSignatureIsRefusedWhereOneIsRequired) {
  const Delivery plain = Carrying(R"({"type":"t"})", "an id");
  EXPECT_EQ(CodeOf(plain, Signed(false)), "ok");
  EXPECT_EQ(CodeOf(plain, Signed(true)), "bad_signature");
}

TEST(Decode, ASignatureIsCheckedAfterTheSizeAndBeforeTheBodyIsParsed) {
  Config config = Signed(true);
  config.limits.message = 20;
  EXPECT_EQ(CodeOf(Carrying(std::string(21, '{')), config), "too_large");
  EXPECT_EQ(CodeOf(Carrying(std::string(20, '{')), config), "bad_signature");
  EXPECT_EQ(CodeOf(SignedWith("one", Carrying(std::string(20, '{'))), config), "malformed");
}

TEST(Decode, TheIdInASignedBodyIsCoveredByTheSignature) {
  const Delivery own = SignedWith("one", Carrying(R"({"type":"t","id":"in body"})"));
  EXPECT_EQ(Accepted(own, Signed(true))->id, "in body");
  Delivery renamed = own;
  renamed.message.message_id = "another";
  EXPECT_EQ(CodeOf(renamed, Signed(true)), "bad_signature");
}

// The copies that the host and `iq dead retry` make of a message must be as good as the message.
TEST(Decode, ACopyKeepsItsSignature) {
  for (const char* id : {"an id", ""}) {
    const Delivery sent = SignedWith("one", Carrying(R"({"type":"t","id":"in body"})", id));
    const Verdict verdict;
    const Outgoing delayed = DelayedCopy(sent.message, "q", 1, RetryConfig{});
    const Outgoing dead =
        DeadCopy(delayed.message, {verdict, "t", "p/1", "q", 2}, DeadLetterConfig{});
    for (const Message& copy : {delayed.message, dead.message, WithoutEpitaph(dead.message)}) {
      Delivery delivery;
      delivery.message = copy;
      EXPECT_EQ(CodeOf(delivery, Signed(true)), "ok");
    }
  }
}

TEST(Decode, ATypeIsNeeded) {
  EXPECT_EQ(CodeOf(Carrying("{}")), "schema");
  EXPECT_EQ(CodeOf(Carrying(R"({"type":1})")), "schema");
}

TEST(Decode, ATimestampOlderThanTheJournalKeepsIsRefused) {
  using namespace std::chrono;
  Config config;
  const auto now_s = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  const auto keep_s = duration_cast<seconds>(config.journal.keep).count();
  Delivery delivery = Carrying(R"({"type":"t"})");
  delivery.message.timestamp_s = static_cast<std::uint64_t>(now_s - keep_s - 60);
  EXPECT_EQ(CodeOf(delivery, config), "too_old");
  delivery.message.timestamp_s = static_cast<std::uint64_t>(now_s - keep_s + 60);
  EXPECT_EQ(CodeOf(delivery, config), "ok");
}

TEST(Decode, AttemptsAreCountedByTheHeader) {
  Delivery delivery = Carrying(R"({"type":"t"})");
  EXPECT_EQ(Accepted(delivery)->attempt, 1U);
  delivery.message.headers[kAttemptsHeader] = {std::int64_t{3}};
  EXPECT_EQ(Accepted(delivery)->attempt, 4U);
  delivery.message.headers[kAttemptsHeader] = {std::string("many")};
  EXPECT_EQ(Accepted(delivery)->attempt, 1U);
}

TEST(Decode, ARefusalKnowsTheIdAndTheTypeAsFarAsTheyWereRead) {
  Config config;
  config.inbox.require_id = true;
  const auto refused = [&config](Delivery delivery) {
    return std::get<Refusal>(Decode(std::move(delivery), config));
  };
  EXPECT_EQ(refused(Carrying(R"({"type":"t"})")).type, "t");
  Delivery old = Carrying(R"({"type":"t","id":"i"})");
  old.message.timestamp_s = 1;
  EXPECT_EQ(refused(old).type, "t");
  EXPECT_EQ(refused(old).id, "i");
  EXPECT_EQ(refused(Carrying("not json", "i")).id, "i");
}

TEST(Decode, ARefusalKeepsTheDeliveryWhole) {
  Delivery delivery = Carrying("not json", "an id");
  delivery.tag = 7;
  const Decoded decoded = Decode(delivery, {});
  const auto& refusal = std::get<Refusal>(decoded);
  EXPECT_EQ(refusal.delivery.tag, 7U);
  EXPECT_EQ(refusal.delivery.message.body, "not json");
  EXPECT_EQ(refusal.id, "an id");
}

}  // namespace
}  // namespace iq
