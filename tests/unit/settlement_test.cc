#include "host/settlement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>

#include "host/base/log.h"
#include "tests/support/eventually.h"

namespace iq {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Keeps what the broker would: which of the delivered tags are still unacked.
class FakeConsumer : public Consumer {
 public:
  std::vector<Delivery> Receive(std::size_t, std::chrono::milliseconds) override { return {}; }
  std::uint64_t epoch() const override { return current; }
  bool connected() const override { return true; }
  void Ack(std::uint64_t epoch, std::uint64_t tag, bool multiple) override {
    if (epoch != current) return;
    ++acks;
    if (multiple) {
      unacked.erase(unacked.begin(), unacked.upper_bound(tag));
    } else {
      unacked.erase(tag);
    }
  }
  void Requeue(std::uint64_t, std::uint64_t tag) override { unacked.erase(tag); }
  void Cancel() override {}

  std::uint64_t current = 1;
  std::set<std::uint64_t> unacked;
  int acks = 0;
};

class FakePublisher : public Publisher {
 public:
  Number Publish(Address, Message, Routing) override {
    waiting.insert(++last);
    return last;
  }
  std::vector<Number> Collect(std::chrono::milliseconds) override {
    std::vector<Number> out(confirmed.begin(), confirmed.end());
    confirmed.clear();
    return out;
  }
  void Forget(Number number) override { waiting.erase(number); }
  std::size_t unconfirmed() const override { return waiting.size(); }
  bool blocked() const override { return false; }

  void Confirm(Number number) {
    ASSERT_EQ(waiting.erase(number), 1U);
    confirmed.insert(number);
  }

  Number last = 0;
  std::set<Number> waiting;
  std::set<Number> confirmed;
};

class SettlementTest : public testing::Test {
 protected:
  Delivery Receive(std::uint64_t tag) {
    Delivery delivery;
    delivery.epoch = consumer.current;
    delivery.tag = tag;
    consumer.unacked.insert(tag);
    settlement.Received(delivery);
    return delivery;
  }
  void Settle(const Delivery& delivery, std::size_t messages, std::int64_t batch = 0,
              bool recognisable = true) {
    settlement.Settle(delivery, batch, std::vector<Outgoing>(messages),
                      {.sweepable = batch != 0, .recognisable = recognisable});
  }

  bool Collect(Settlement::Acks acks = Settlement::Acks::kAtOnce) {
    return settlement.Collect(0ms, acks);
  }

  FakeConsumer consumer;
  FakePublisher publisher;
  Settlement settlement{consumer, publisher, 1h};
};

TEST_F(SettlementTest, ADeliveryIsAckedOnlyWhenAllOfItsMessagesAreConfirmed) {
  Settle(Receive(1), 2);
  Collect();
  EXPECT_THAT(consumer.unacked, ElementsAre(1));
  publisher.Confirm(2);
  Collect();
  EXPECT_THAT(consumer.unacked, ElementsAre(1));
  publisher.Confirm(1);
  Collect();
  EXPECT_THAT(consumer.unacked, IsEmpty());
  EXPECT_EQ(settlement.pending(), 0U);
}

TEST_F(SettlementTest, AMultipleAckNeverCoversAnUnsettledDelivery) {
  const Delivery first = Receive(1);
  for (std::uint64_t tag = 2; tag <= 4; ++tag) Settle(Receive(tag), 0);
  Collect();
  EXPECT_THAT(consumer.unacked, ElementsAre(1));
  Settle(first, 0);
  Collect();
  EXPECT_THAT(consumer.unacked, IsEmpty());
}

TEST_F(SettlementTest, ARunOfSettledDeliveriesIsAckedAtOnce) {
  std::vector<Delivery> deliveries;
  for (std::uint64_t tag = 1; tag <= 100; ++tag) deliveries.push_back(Receive(tag));
  for (const Delivery& delivery : deliveries) Settle(delivery, 0);
  Collect();
  EXPECT_THAT(consumer.unacked, IsEmpty());
  EXPECT_EQ(consumer.acks, 1);
}

TEST_F(SettlementTest, AcksWaitForCompanyWhileMostOfWhatIsHeldIsOpen) {
  std::vector<Delivery> deliveries;
  for (std::uint64_t tag = 1; tag <= 1000; ++tag) deliveries.push_back(Receive(tag));
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < 400; ++i) {
    Settle(deliveries[i], 0);
    Collect(Settlement::Acks::kInCompany);
  }
  const auto passed = std::chrono::steady_clock::now() - start;
  EXPECT_LE(consumer.acks, 1 + passed / 10ms);
  for (std::size_t i = 400; i < 1000; ++i) Settle(deliveries[i], 0);
  Collect(Settlement::Acks::kInCompany);
  EXPECT_EQ(settlement.pending(), 0U) << "all that is held waits for it";
}

TEST_F(SettlementTest, CountsTheUnconfirmedThatWereSettledSince) {
  const auto before = std::chrono::steady_clock::now() - 1ns;
  Settle(Receive(1), 1);
  Settle(Receive(2), 1);
  const auto between = std::chrono::steady_clock::now();
  Settle(Receive(3), 1);
  EXPECT_EQ(settlement.UnconfirmedSince(before), 3U);
  EXPECT_EQ(settlement.UnconfirmedSince(between), 1U);
  EXPECT_EQ(settlement.UnconfirmedSince(std::chrono::steady_clock::now()), 0U);
  publisher.Confirm(1);
  Collect();
  EXPECT_EQ(settlement.UnconfirmedSince(before), 2U);
}

TEST_F(SettlementTest, WhatWouldTakeEffectTwiceIsAckedWithoutCompany) {
  std::vector<Delivery> deliveries;
  for (std::uint64_t tag = 1; tag <= 10; ++tag) deliveries.push_back(Receive(tag));
  Settle(deliveries[1], 1, 1, /*recognisable=*/false);
  publisher.Confirm(1);
  Collect(Settlement::Acks::kInCompany);
  EXPECT_EQ(consumer.acks, 1);
  EXPECT_FALSE(consumer.unacked.contains(2));
}

TEST_F(SettlementTest, ThoseBehindAGapWaitForItToCloseButNotForLong) {
  std::vector<Delivery> deliveries;
  for (std::uint64_t tag = 1; tag <= 10; ++tag) deliveries.push_back(Receive(tag));
  Settle(deliveries[1], 0);
  Collect(Settlement::Acks::kInCompany);
  EXPECT_EQ(consumer.acks, 0);
  EXPECT_TRUE(test::Eventually(10s, [&] {
    Collect(Settlement::Acks::kInCompany);
    return consumer.acks == 1;
  }));
  EXPECT_FALSE(consumer.unacked.contains(2));
  EXPECT_EQ(consumer.unacked.size(), 9U);
}

TEST_F(SettlementTest, ATagOfALostChannelIsNotAckedOnTheNext) {
  Settle(Receive(1), 1);
  consumer.current = 2;
  consumer.unacked.clear();
  const Delivery other = Receive(1);
  publisher.Confirm(1);
  Collect();
  EXPECT_THAT(consumer.unacked, ElementsAre(1)) << "that is another message";
  Settle(other, 0);
  Collect();
  EXPECT_THAT(consumer.unacked, IsEmpty());
}

TEST_F(SettlementTest, ARequeuedDeliveryHoldsNothingBack) {
  const Delivery first = Receive(1);
  Settle(Receive(2), 0);
  settlement.Requeue(first);
  Collect();
  EXPECT_THAT(consumer.unacked, IsEmpty());
}

TEST_F(SettlementTest, ABatchIsConfirmedWhenItAndAllBeforeItAre) {
  Settle(Receive(1), 1, 5);
  Settle(Receive(2), 1, 6);
  Settle(Receive(3), 1, 6);
  EXPECT_EQ(settlement.ConfirmedBatch(6), 4);
  publisher.Confirm(2);
  publisher.Confirm(3);
  Collect();
  EXPECT_EQ(settlement.ConfirmedBatch(6), 4);
  publisher.Confirm(1);
  Collect();
  EXPECT_EQ(settlement.ConfirmedBatch(6), 6);
}

TEST_F(SettlementTest, WithoutPatienceOnlyWhatIsRecordedIsLeftToTheSweeper) {
  Settlement hasty(consumer, publisher, 0ms);
  const Delivery recorded = Receive(1);
  const Delivery refused = Receive(2);
  hasty.Received(recorded);
  hasty.Received(refused);
  hasty.Settle(recorded, 3, std::vector<Outgoing>(1), {.sweepable = true});
  hasty.Settle(refused, 0, std::vector<Outgoing>(1), {});
  EXPECT_TRUE(hasty.Collect(0ms, Settlement::Acks::kAtOnce));
  EXPECT_THAT(consumer.unacked, ElementsAre(2));
  EXPECT_EQ(publisher.unconfirmed(), 1U);
  EXPECT_FALSE(hasty.Collect(0ms, Settlement::Acks::kAtOnce));
}

TEST_F(SettlementTest, ABlockageIsLoggedWhenItBeginsAndWhenItEnds) {
  Settlement hasty(consumer, publisher, 0ms);
  const auto settle = [&](std::uint64_t tag, bool sweepable) {
    const Delivery delivery = Receive(tag);
    hasty.Received(delivery);
    hasty.Settle(delivery, 3, std::vector<Outgoing>(1), {.sweepable = sweepable});
  };
  log::Start(log::Level::kInfo, log::Format::kText);
  testing::internal::CaptureStderr();
  settle(1, /*sweepable=*/true);
  hasty.Collect(0ms, Settlement::Acks::kAtOnce);
  settle(2, /*sweepable=*/true);
  hasty.Collect(0ms, Settlement::Acks::kAtOnce);
  settle(3, /*sweepable=*/false);
  publisher.Confirm(3);
  hasty.Collect(0ms, Settlement::Acks::kAtOnce);
  hasty.Collect(0ms, Settlement::Acks::kAtOnce);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_THAT(log, testing::ContainsRegex("has been blocked.*\n.*no longer blocked"));
}

// Random settling and confirming against a model: nothing is acked before its messages are
// confirmed, and in the end everything is.
TEST_F(SettlementTest, HoldsUnderAnyOrder) {
  std::minstd_rand random(17);
  std::map<std::uint64_t, std::set<Publisher::Number>> messages_of;
  std::vector<Delivery> unsettled;
  for (std::uint64_t tag = 1; tag <= 500; ++tag) unsettled.push_back(Receive(tag));
  while (!unsettled.empty() || !publisher.waiting.empty()) {
    if (!unsettled.empty() && random() % 2 == 0) {
      const std::size_t pick = random() % unsettled.size();
      const Publisher::Number before = publisher.last;
      Settle(unsettled[pick], random() % 3);
      for (auto number = before + 1; number <= publisher.last; ++number) {
        messages_of[unsettled[pick].tag].insert(number);
      }
      unsettled.erase(unsettled.begin() + static_cast<std::ptrdiff_t>(pick));
    } else if (!publisher.waiting.empty()) {
      auto next = publisher.waiting.begin();
      std::advance(next, random() % publisher.waiting.size());
      publisher.Confirm(*next);
    }
    Collect();
    for (const Delivery& delivery : unsettled) ASSERT_TRUE(consumer.unacked.contains(delivery.tag));
    for (const auto& [tag, numbers] : messages_of) {
      const bool open = std::any_of(numbers.begin(), numbers.end(), [&](Publisher::Number number) {
        return publisher.waiting.contains(number);
      });
      ASSERT_EQ(consumer.unacked.contains(tag), open) << tag;
    }
  }
  EXPECT_THAT(consumer.unacked, IsEmpty());
}

}  // namespace
}  // namespace iq
